"""A batch on this machine, through the command line: what it makes, and what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Vostool, moving_square

pytest.importorskip("submitit", reason="no submitit: pip install 'vostool[batch]'")
BOTH = ("--stages", "extract,propagate")


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    """Two clips, and one that is none, between them."""
    every = [moving_square(tmp_path / "clips" / name, 2, (64, 80)) for name in ("a", "b", "c")]
    (every[1] / "00001.png").write_bytes(b"no picture")
    return every


def test_one_bad_clip_does_not_stop_the_others(
    vostool: Vostool, clips: list[Path], tmp_path: Path
) -> None:
    done = vostool("batch", *clips, *BOTH, "--out", "out", "--array", "2")
    assert (done.status, done.out) == (3, "a\nc\n")
    assert done.errors == [
        f"Error: b: extract: {clips[1] / '00001.png'}: not a whole image (cannot identify image "
        f"file '{clips[1] / '00001.png'}'); restore or remove it"
    ]
    rows = [json.loads(row) for row in (tmp_path / "out" / "report.jsonl").read_text().splitlines()]
    assert [(row["clip"], row["state"]) for row in rows] == [
        ("a", "done"), ("b", "failed"), ("c", "done")
    ]  # fmt: skip
    assert "not a whole image" in Path(rows[1]["log"]).read_text()
    page = (tmp_path / "out" / "report.html").read_text()
    assert "2 done, 1 failed" in page and 'href="logs/extract/b.log"' in page
    assert str(tmp_path) in page and "<td>a" not in page, "the failed one alone"

    moving_square(clips[1], 2, (64, 80))
    mended = vostool("batch", *clips, *BOTH, "--out", "out")
    assert (mended.status, mended.out) == (0, "a\nb\nc\n")
    assert "3 clips: 1 to submit, 0 with jobs already" in mended.err
    status = vostool("batch", "status", "out")
    assert (status.status, status.out) == (0, "a\nb\nc\n")


def test_names_in_the_store_go_on_without_their_clips(
    vostool: Vostool, clips: list[Path], tmp_path: Path
) -> None:
    vostool("extract", clips[0])
    done = vostool("batch", "-", "--stages", "propagate", "--out", "out", stdin="a\nmissing\n")
    assert (done.status, done.out) == (3, "a\n")
    assert done.errors == [
        "Error: missing: propagate: missing: no backbone features of efficientnet-lite0 in "
        f"{tmp_path / 'store'}; make them with: vostool extract CLIP"
    ]


def test_a_stop_ends_the_jobs_and_the_next_call_goes_on(
    vostool: Vostool, tmp_path: Path, clips: list[Path]
) -> None:
    long = moving_square(tmp_path / "clips" / "long", 400, (240, 320))
    words = [sys.executable, "-m", "vostool", "batch", str(long), *BOTH, "--out", "out"]
    call = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE)
    chunks = tmp_path / "store" / ".partial" / "long"
    while not list(chunks.rglob("progress.json")):
        assert call.poll() is None, call.stderr and call.stderr.read()
        time.sleep(0.1)
    call.send_signal(signal.SIGTERM)
    assert call.wait() == 128 + signal.SIGTERM
    (row,) = [json.loads(r) for r in vostool("batch", "status", "out", "--json").out.splitlines()]
    assert (row["state"], row["error"]) == ("to do", None)
    assert "extract" in (tmp_path / "out" / "logs" / "extract" / "long.log").read_text()
    assert list(chunks.rglob("progress.json")), "and what was made stays"


def test_a_command_that_dies_is_told_of(
    vostool: Vostool, clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(
        "import os, sys\nif 'extract' in sys.orig_argv: os.kill(os.getpid(), 9)\n"
    )
    paths = [str(tmp_path / "hook"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    done = vostool("batch", clips[0], clips[2], *BOTH, "--out", "out")
    assert done.status == 1
    assert done.errors[0] == (
        "Error: a: extract: the command was ended by SIGKILL, perhaps for want of memory; see "
        f"{tmp_path / 'out' / 'logs' / 'extract' / 'a.log'}"
    )
    assert "c: extract" in done.errors[1]


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (
            ("clips/a", "--stages", "render", "--out", "o"),
            2,
            "--adapter FILE.h5 goes with the stage render",
        ),
        (("clips/a", *BOTH, "--out", "o", "--gpus", "1"), 2, "go with --on slurm"),
        (("clips/a", "--stages", "fly", "--out", "o"), 2, "no stage 'fly'; there are: extract"),
        (("clips/a", *BOTH, "--out", "o", "--time", "soon"), 2, "'soon' is no time"),
        (("clips/a", *BOTH, "--out", "o", "--time", "0"), 2, "a job needs a minute at least"),
        (("clips/a", *BOTH, "--out", "o", "--sbatch", "x"), 2, "'x' is no KEY=VALUE"),
        (("clips/a", "x/a.mp4", *BOTH, "--out", "o"), 2, "would both be called a"),
        (("clips/a", *BOTH, "--out", "clips"), 1, "clips: holds a, and is no folder of a batch"),
        (("clips/a", *BOTH, "--out", "o", "--model", "no"), 1, "no: no such file of weights"),
        (("../a", "--stages", "propagate", "--out", "o"), 1, "'../a' cannot name a clip"),
        (("status", "clips"), 1, "clips: no batch; begin one with: vostool batch CLIP..."),
        (("cancel", "none"), 1, "none: no batch"),
    ],
)
def test_what_cannot_be_is_a_line(
    vostool: Vostool, clips: list[Path], words: tuple[str, ...], status: int, told: str
) -> None:
    done = vostool("batch", *words)
    assert (done.status, len(done.errors)) == (status, 1)
    assert told in done.errors[0]
    assert not (clips[0].parent.parent / "o" / "jobs" / "submitted.jsonl").exists()


def test_slurm_that_is_not_there(
    vostool: Vostool, clips: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(clips[0]))
    done = vostool("batch", clips[0], *BOTH, "--out", "o", "--on", "slurm")
    assert (done.status, done.errors) == (
        1,
        ["Error: sbatch: not in PATH; call this where Slurm's commands are, or give --on local"],
    )


@pytest.mark.parametrize("on", ["local", "slurm"])
def test_without_the_extra(clips: list[Path], tmp_path: Path, on: str) -> None:
    program = "import sys; sys.modules['submitit'] = None; from vostool.cli import run; run()"
    ask = ["batch", str(clips[0]), *BOTH, "--out", "o", "--on", on]
    words = [sys.executable, "-c", program, *ask]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "Error: a batch needs submitit; install it with: pip install 'vostool[batch]'"
    )
