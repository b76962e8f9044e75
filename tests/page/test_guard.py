"""Requests that must fail: without the token, from another site, too large, out of the folder."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.page.conftest import Server

STROKE = {"do": "draw", "id": "s1", "frame": 0, "object_id": 1, "path": [[0.1, 0.5], [0.4, 0.5]]}


@pytest.fixture(scope="module")
def page(once: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all of these: whatever fails must leave it as it was."""
    import shutil

    from tests.page.conftest import fill_store

    folder = tmp_path_factory.mktemp("guard")
    server = Server(Path(shutil.copytree(once("page", fill_store) / "store", folder / "store")))
    yield server
    server.kill()


def get(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """The status and the text of an answer; ``TOKEN`` in a path is the page's own."""
    url = urlsplit(server.url)
    assert url.port is not None
    connection = http.client.HTTPConnection("127.0.0.1", url.port, timeout=10)
    connection.putrequest(
        method, path.replace("TOKEN", url.path.strip("/")), skip_host="Host" in headers
    )
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read().decode(errors="replace")


def talk(server: Server, path: str = "TOKEN/socket", **options: Any) -> ClientConnection:
    """A socket to the page."""
    url = urlsplit(server.url)
    origin = options.pop("origin", f"http://{url.netloc}")
    address = f"ws://{url.netloc}/" + path.replace("TOKEN", url.path.strip("/"))
    socket: ClientConnection = connect(address, origin=origin, max_size=None, **options)
    return socket


def say(socket: ClientConnection, message: object) -> dict[str, Any]:
    """Send something, and take the answer to it."""
    socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))
    while True:
        answer = socket.recv(timeout=20)
        if isinstance(answer, str) and json.loads(answer)["type"] in ("refused", "document"):
            found: dict[str, Any] = json.loads(answer)
            return found


def test_what_is_asked_rightly_is_answered(page: Server) -> None:
    assert get(page, "/TOKEN/")[0] == 200
    assert get(page, "/TOKEN/app.js")[0] == 200
    assert get(page, "/TOKEN/frames/3.jpg")[0] == 200
    port = urlsplit(page.url).port
    assert get(page, "/TOKEN/", Host=f"localhost:{port}")[0] == 200
    assert get(page, "/TOKEN/", Host="localhost:9999")[0] == 200, "through ssh -L 9999:…"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/app.js",
        "/frames/3.jpg",
        "/socket",
        "/wrong/",
        "/wrong/app.js",
        "/TOKENx/",
        "//TOKEN/",
    ],
)
def test_no_token_no_answer(page: Server, path: str) -> None:
    status, text = get(page, path)
    assert status == 403 and "token" in text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_another_host_is_refused(page: Server, host: str) -> None:
    """DNS rebinding: a name of the attacker's that points to this machine."""
    assert get(page, "/TOKEN/", Host=host)[0] in (400, 403)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "file://"])
def test_another_origin_is_refused(page: Server, origin: str) -> None:
    assert get(page, "/TOKEN/", Origin=origin)[0] == 403
    with pytest.raises(InvalidStatus, match="403"), talk(page, origin=origin):
        pass


def test_a_socket_without_origin_or_token_is_refused(page: Server) -> None:
    with pytest.raises(InvalidStatus, match="403"), talk(page, origin=None):
        pass
    with pytest.raises(InvalidStatus, match="403"), talk(page, "wrong/socket"):
        pass


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_sent_but_through_the_socket(page: Server, method: str) -> None:
    assert get(page, "/TOKEN/", method)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/TOKEN/../server.py",
        "/TOKEN/..%2fserver.py",
        "/TOKEN/%2e%2e/server.py",
        "/TOKEN//etc/passwd",
        "/TOKEN/frames/../actions.jsonl",
        "/TOKEN/frames/999999.jpg",
        "/TOKEN/frames/-1.jpg",
        "/TOKEN/frames/..%2factions.jpg",
    ],
)
def test_nothing_else_is_served(page: Server, path: str) -> None:
    assert get(page, path)[0] in (403, 404)


@pytest.mark.parametrize(
    "message",
    [
        "no JSON",
        [],
        {},
        {"do": "delete"},
        {"do": ["draw"]},
        {**STROKE, "frame": 9999},
        {**STROKE, "frame": -1},
        {**STROKE, "frame": True},
        {**STROKE, "object_id": 256},
        {**STROKE, "width": 10_000},
        {**STROKE, "path": []},
        {**STROKE, "path": [[0.1, 2]]},
        {**STROKE, "path": [[0.1, 0.1]] * 20_001},
        {**STROKE, "id": "x" * 100},
        {**STROKE, "id": None},
        {"do": "erase", "ids": ["nobody's"]},
        {"do": "name", "object_id": 1, "name": "x" * 1000},
        {"do": "name", "object_id": 0, "name": "background"},
        {"do": "look", "frame": "../../etc"},
        {"do": "open", "scribbles": {"scribbles": [[{"path": "x", "object_id": 1}]]}},
        {"do": "open", "scribbles": {"scribbles": []}},
        {"do": "undo"},
        {"do": "redo"},
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_no_trace(page: Server, message: object) -> None:
    before = (page.folder / "actions.jsonl").read_bytes()
    with talk(page) as socket:
        socket.recv(timeout=20), socket.recv(timeout=20)  # hello, and the document
        assert say(socket, message)["type"] == "refused"
    assert (page.folder / "actions.jsonl").read_bytes() == before


def test_a_message_that_is_too_large_ends_the_connection(page: Server) -> None:
    with talk(page) as socket, pytest.raises(ConnectionClosed):
        socket.send("x" * (9 << 20))
        while True:
            socket.recv(timeout=20)
    assert get(page, "/TOKEN/")[0] == 200


def test_bytes_end_the_connection(page: Server) -> None:
    with talk(page) as socket, pytest.raises(ConnectionClosed):
        socket.send(b"\x00\x01")
        while True:
            socket.recv(timeout=20)
    assert get(page, "/TOKEN/")[0] == 200


def test_so_many_tabs_and_no_more(page: Server) -> None:
    with ExitStack() as tabs:
        for _ in range(16):
            tabs.enter_context(talk(page))
        with pytest.raises(InvalidStatus, match="403"):
            tabs.enter_context(talk(page))


def test_names_name_no_files(server: Server) -> None:
    """Whatever a browser calls things, all that is written lies in the session's folder."""
    place = server.folder.parent
    with talk(server) as socket:
        socket.recv(timeout=20), socket.recv(timeout=20)
        wicked = "../../../outside"
        assert say(socket, {**STROKE, "id": wicked, "file": wicked})["type"] == "document"
        assert say(socket, {"do": "name", "object_id": 1, "name": wicked})["type"] == "document"
    names = {entry.name for entry in place.iterdir()}
    assert names == {"store", "bikes.scribbles"}, names
    kept = {entry.name for entry in server.folder.iterdir()}
    ours = {"actions.jsonl", "address.json", "settings.json", "round-001.json", "frames", ".lock"}
    assert kept <= ours, kept


def test_only_this_machine_is_listened_to(page: Server) -> None:
    assert urlsplit(page.url).hostname == "127.0.0.1"
    token = urlsplit(page.url).path.strip("/")
    assert len(token) >= 32
    if os.name == "posix":
        assert (page.folder / "address.json").stat().st_mode & 0o077 == 0, "others can read it"


def test_scripts_of_others_are_forbidden(page: Server) -> None:
    url = urlsplit(page.url)
    assert url.port is not None
    connection = http.client.HTTPConnection("127.0.0.1", url.port, timeout=10)
    connection.request("GET", url.path)
    policy = connection.getresponse().headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
