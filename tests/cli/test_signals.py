"""A run that is stopped, at any moment: its exit status says so, and nothing half-made is left."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import vostool as package
from tests.conftest import moving_square
from vostool.adapter import Adapter
from vostool.outputs import LISTING

FRAMES = 60
STOPS = (signal.SIGINT, signal.SIGTERM)
JOBS = {
    "extract": ("extract", "square", "--store", "fresh"),
    "propagate": ("propagate", "square", "--store", "extracted"),
    "adapt": ("adapt", "square", "--scribbles", "s.json", "--out", "new.h5"),
    "render": ("render", "square", "--adapter", "a.h5", "--out", "m", "--overlay", "o.mp4"),
    "refine": (
        *("refine", "square", "--adapter", "a.h5", "--out", "m", "--overlay", "o.mp4"),
        *("--refiner-weights", "random"),
    ),
}

MADE = {
    "extract": ("fresh/square.zarr/efficientnet-lite0/backbone/manifest.json",),
    "propagate": ("extracted/square.zarr/efficientnet-lite0/context/manifest.json",),
    "adapt": ("new.h5",),
    "render": (f"m/{FRAMES - 1:05d}.png", "o.mp4"),
    "refine": (f"m/{FRAMES - 1:05d}.png", "o.mp4"),
}
"""What is there when a job is done."""


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """What a shell runs in the background ignores Ctrl-C, and so do the processes it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every stage can run."""
    folder = tmp_path_factory.mktemp("signals")
    clip = moving_square(folder / "square", FRAMES, (96, 640))
    stroke = '{"path": [[0.05, 0.5], [0.07, 0.5]], "object_id": %d}'
    (folder / "s.json").write_text(f'{{"scribbles": [[{stroke % 1}]]}}')
    package.open(clip, store=folder / "vostool-store").session("paper")
    shutil.copytree(folder / "vostool-store", folder / "extracted")
    shutil.rmtree(folder / "extracted" / "square.zarr" / "efficientnet-lite0" / "context")
    session = package.open(clip, store=folder / "vostool-store").session()
    session.add_scribbles(folder / "s.json")
    session.adapter.write(folder / "a.h5")
    return folder


def left(folder: Path) -> set[str]:
    """What lies beside and among the results; what an interrupted stage goes on from is meant."""
    hidden = {str(entry.relative_to(folder)) for entry in folder.rglob(".*")}
    outside = {
        name for name in hidden if name.split("/")[-1] not in (".partial", ".locks", LISTING)
    }
    return {name for name in outside if not name.endswith(".refined")}


def started(job: tuple[str, ...], folder: Path) -> subprocess.Popen[str]:
    """A run that has come to the first line of ours: before it, Python answers to signals."""
    words = [sys.executable, "-m", "vostool", *job]
    run = subprocess.Popen(
        words, cwd=folder, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not answers(run):
        time.sleep(0.005)
    return run


def answers(run: subprocess.Popen[str]) -> bool:
    """Whether a process has a handler of SIGTERM, which a Python has of its own accord not."""
    status = Path(f"/proc/{run.pid}/status")
    if not status.exists():  # another system's: some time is enough there
        time.sleep(0.5)
        return True
    caught = re.search(r"^SigCgt:\s*(\w+)", status.read_text(), re.MULTILINE)
    return run.poll() is not None or bool(caught and int(caught[1], 16) >> signal.SIGTERM - 1 & 1)


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("number", STOPS)
def test_a_stopped_run_says_so_and_leaves_nothing(
    ready: Path, tmp_path: Path, job: str, number: signal.Signals
) -> None:
    for wait in (0.3, 0.8, 2.0):  # libraries load, and then the work begins
        folder = tmp_path / str(wait)
        shutil.copytree(ready, folder)
        run = started(JOBS[job], folder)
        time.sleep(wait)
        run.send_signal(number)
        _, err = run.communicate(timeout=60)
        stopped = run.returncode == 128 + number
        # The work may have been done by then.
        assert stopped or run.returncode == 0, (run.returncode, err)
        assert "Traceback" not in err and "Error" not in err, err
        assert left(folder) == set(), wait
        assert len(list(folder.glob("m/*.png"))) in (0, FRAMES)
        assert stopped or all((folder / made).exists() for made in MADE[job])
        if (folder / "new.h5").exists():
            Adapter.read(folder / "new.h5")
        shutil.rmtree(folder)


@pytest.mark.parametrize("number", STOPS)
def test_a_stop_while_nothing_runs_but_waits(tmp_path: Path, number: signal.Signals) -> None:
    run = started(("extract", "-"), tmp_path)
    time.sleep(1.0)
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 128 + number and err == ""
