"""A page from nothing: progress is told, early strokes are answered, and all ends in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.conftest import REPOSITORY, Vostool, square_mask
from tests.page.conftest import Server, bikes_scribbles
from vostool.images import read_mask
from vostool.page.messages import MARKS, MASK, LabelMap
from vostool.writers.png import mask_file

STROKES = [
    {"do": "draw", "id": "a", "frame": 2, "object_id": 1, "path": [[0.2, 0.5], [0.45, 0.5]]},
    {"do": "draw", "id": "b", "frame": 2, "object_id": 0, "path": [[0.8, 0.1], [0.8, 0.9]]},
]


class Listener:
    """Hears what a page tells one tab.

    Attributes:
        told: the messages so far.
        maps: the label maps so far: (kind, frame, version) and the labels.
    """

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._socket = connect(
            f"ws://{where.netloc}{where.path}socket",
            origin=Origin(f"http://{where.netloc}"),
            max_size=None,
            legacy=True,
        )
        self.told: list[dict[str, Any]] = []
        self.maps: dict[tuple[int, int, int], np.ndarray[Any, Any]] = {}

    def say(self, message: dict[str, Any]) -> None:
        self._socket.send(json.dumps(message))

    def hear(self) -> None:
        """Take one message more."""
        answer = self._socket.recv(timeout=60)
        if isinstance(answer, str):
            self.told.append(json.loads(answer))
            return
        kind, frame, version = np.frombuffer(answer[:12], "<u4").tolist()
        runs = int(np.frombuffer(answer[16:20], "<u4")[0])
        lengths = np.frombuffer(answer[20 : 20 + 4 * runs], "<u4")
        labels = np.frombuffer(answer[20 + 4 * runs :], np.uint8)
        self.maps[kind, frame, version] = np.repeat(labels, lengths)

    def hear_until(self, **wanted: object) -> dict[str, Any]:
        """Take messages up to one that has some values."""
        while True:
            self.hear()
            if self.told and wanted.items() <= self.told[-1].items():
                return self.told[-1]

    def hear_masks(self, version: int, frames: int) -> None:
        """Take messages until the masks of all frames have come."""
        while any((MASK, frame, version) not in self.maps for frame in range(frames)):
            self.hear()


def test_a_clip_that_was_never_extracted(square_clip: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "vostool", "scribble", str(square_clip), "--no-browser"]
    process = subprocess.Popen(
        [*words, "--store", str(tmp_path / "store")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None and process.stderr is not None
    tab = Listener(process.stdout.readline().strip())
    hello = tab.hear_until(type="hello")
    assert hello["frames"] == 12 and not hello["ready"]
    for stroke in STROKES:
        tab.say(stroke)
    tab.hear_until(type="ready")
    whats = [message.get("what") for message in tab.told if message["type"] == "progress"]
    assert "extract square" in whats
    tab.hear_masks(2, 12)
    mask = tab.maps[MASK, 4, 2].reshape(96, 128)
    both = (mask == 1) & square_mask(4)
    assert both.sum() > 0.7 * square_mask(4).sum(), "the square was not found"
    tab.say({"do": "save"})
    tab.hear_until(type="saved")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130 and "Traceback" not in process.stderr.read()
    assert not list(tmp_path.glob(".vostool-*")), "something half-made is left"


def test_an_adapter_is_gone_on_from(store: Path, vostool: Vostool, tmp_path: Path) -> None:
    scribbles = bikes_scribbles(tmp_path)
    assert vostool("adapt", "bikes", "--scribbles", scribbles, "--out", "a.h5").status == 0
    assert vostool("render", "--adapter", "a.h5", "--out", "m").status == 0
    server = Server(store, "--adapter", str(tmp_path / "a.h5"))
    tab = Listener(server.url)
    tab.hear_masks(0, 9)
    assert (tab.maps[MARKS, 2, 0] == 2).sum() > 20, "the strokes of the adapter are not shown"
    saved = read_mask(mask_file(tmp_path / "m", 2)).ravel()
    assert (tab.maps[MASK, 2, 0] != saved).mean() < 0.001
    server.stop()
    (tmp_path / "a.h5").unlink()
    again = Server(store)  # the session has its own copy
    assert again.url == server.url, "open tabs would not find it again"
    tab = Listener(again.url)
    tab.hear_masks(0, 9)
    again.kill()
    words = ("adapt", "bikes", "--scribbles", scribbles, "--seed", 1, "--out", "b.h5")
    assert vostool(*words).status == 0
    other = vostool("scribble", "bikes", "--adapter", "b.h5", "--no-browser")
    assert other.status == 1 and "has begun from another adapter" in other.errors[0]


@pytest.mark.parametrize("acknowledged", [1, 7, 30])
def test_a_kill_loses_nothing_that_was_acknowledged(server: Server, acknowledged: int) -> None:
    """Strokes rain in from one tab, and the server is killed in the middle of them."""
    tab = Listener(server.url)
    tab.hear_until(type="document")
    for number in range(60):
        tab.say({**STROKES[0], "id": f"s{number}", "frame": number % 3})
    known: set[str] = set()
    while len(known) < acknowledged:
        tab.hear()
        if tab.told[-1]["type"] == "document":
            known |= {stroke["id"] for stroke in tab.told[-1].get("strokes", [])}
    server.kill()
    server.start()
    hello = Listener(server.url).hear_until(type="hello")
    there = [stroke["id"] for stroke in hello["strokes"]]
    assert known <= set(there)
    assert there == [f"s{number}" for number in range(len(there))], "not in their order"


def test_another_address_and_a_port_that_is_taken(store: Path, vostool: Vostool) -> None:
    server = Server(store, "--host", "127.0.0.2")
    where = urlsplit(server.url)
    assert where.hostname == "127.0.0.2"
    assert Listener(server.url).hear_until(type="hello")["clip"] == "bikes"
    words = ("--host", "127.0.0.2", "--port", where.port, "--session", "other", "--no-browser")
    done = vostool("scribble", "bikes", *words)
    assert done.status == 1 and f"127.0.0.2:{where.port} cannot be listened on" in done.errors[0]
    server.kill()
    done = vostool("scribble", "bikes", "--host", "203.0.113.7", "--session", "other")
    assert done.status == 1 and "name another --port or --host" in done.errors[0]


def test_runs_are_the_map() -> None:
    pixels = np.random.default_rng(0).integers(0, 3, (20, 30)).astype(np.uint8)
    pixels[5:9] = 7
    map = LabelMap.of(pixels, 3)
    assert np.array_equal(np.repeat(map.labels, map.lengths), pixels.ravel())
