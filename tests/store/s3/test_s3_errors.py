"""What is wrong with a bucket is told in one line that names it and the mend."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.s3_server import S3Server
from tests.store.s3.conftest import ROOT
from tests.store.s3.test_s3_store import write
from tests.store.test_store import some
from vostool.cli import main
from vostool.store import FeatureStore
from vostool.store.s3 import bucket


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [*map(str, words)])


def one_line(result: Result, *parts: str, status: int = 1) -> None:
    assert result.exit_code == status, result.output
    (line,) = [line for line in result.output.splitlines() if "Error" in line]
    for part in parts:
        assert part in line
    assert "Traceback" not in result.output


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second try."""
    monkeypatch.setattr(bucket, "_RETRIES", {"max_retries": 0})


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("extract", "{clip}"),
    ("propagate", "square"),
    ("adapt", "square", "--scribbles", "{scribbles}", "--out", "a.h5"),
    ("store", "ls"),
    ("store", "verify"),
    ("store", "rm", "square"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_no_bucket(
    s3: S3Server, command: tuple[str, ...], square_clip: Path, square_scribbles: Path
) -> None:
    words = [word.format(clip=square_clip, scribbles=square_scribbles) for word in command]
    one_line(run(*words, "--store", "s3://nobody/x"), "s3://nobody: no such bucket; make it")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_no_network(
    s3: S3Server,
    command: tuple[str, ...],
    square_clip: Path,
    square_scribbles: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    words = [word.format(clip=square_clip, scribbles=square_scribbles) for word in command]
    one_line(
        run(*words, "--store", ROOT),
        "s3://clips: no answer from http://127.0.0.1:9; see to the network, and AWS_ENDPOINT_URL",
    )


def test_no_credentials(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9/169.254.169.254")
    one_line(run("store", "ls", "--store", ROOT), "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")


def test_who_may_only_read_can_read(
    s3: S3Server,
    square_clip: Path,
    square_scribbles: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("extract", square_clip, "--store", ROOT).exit_code == 0
    s3.refuse = lambda method, path: None if method == "GET" else "403 Forbidden"
    moved = square_clip.rename(tmp_path / "moved")
    reading: tuple[tuple[object, ...], ...] = (
        ("extract", moved, "--name", "square"),
        ("adapt", "square", "--scribbles", square_scribbles, "--out", "a.h5"),
        ("render", "--adapter", "a.h5", "--out", "masks"),
    )
    for words in reading:
        done = run(*words, "--store", ROOT)
        assert done.exit_code == 0, done.output
    writing = (("propagate", "square"), ("store", "rm", "square"), ("extract", moved))
    for words in writing:
        one_line(run(*words, "--store", ROOT), ".lock: cannot be written (403 Forbidden)")
    s3.refuse = lambda method, path: "403 Forbidden"
    one_line(run("store", "ls", "--store", ROOT), f"{ROOT}/: cannot be read (403 Forbidden)")


def test_a_server_that_is_busy_now_and_then_is_asked_again(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "_RETRIES", {"max_retries": 4})
    asked = [0]

    def refuse(method: str, path: str) -> str | None:
        asked[0] += 1
        return "503 Slow Down" if asked[0] % 3 == 0 else None

    s3.refuse = refuse
    store = FeatureStore(ROOT)
    write(store, some(20))
    assert list(store.clip("clip").stage("net", "backbone").broken_files()) == []


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    one_line(run("store", "ls", "--store", ROOT), "pip install 'vostool[s3]'")


@pytest.mark.parametrize(
    "url", ["s3://", "s3:///x", "s3://A_b/x", "s3://b//x", "gs://b/x", "c://x"]
)
def test_no_such_url(url: str) -> None:
    one_line(run("store", "ls", "--store", url), url, "s3://BUCKET/PREFIX", status=2)


def test_no_such_store_and_an_empty_one(store: FeatureStore) -> None:
    one_line(run("store", "verify", "--store", ROOT), f"{ROOT}: no such store")
    assert run("store", "ls", "--store", ROOT).output.startswith(f"{ROOT}: no clips yet")


def test_strokes_are_kept_on_this_machine(store: FeatureStore) -> None:
    write(store, some(9))
    result = run("scribble", "clip", "--store", ROOT)
    one_line(result, f"beside {ROOT} no strokes can be kept", "--session", status=2)


def test_doctor_tells_of_the_bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vostool.doctor.LAST", ())
    told = run("doctor", "--store", ROOT).output
    assert f"ok  bucket: locks work at {ROOT}" in told and "disk" not in told
    assert s3.objects() == [], "nothing is left of the try"
    assert (
        "BAD bucket: s3://nobody: no such bucket" in run("doctor", "--store", "s3://nobody").output
    )
