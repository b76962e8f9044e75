"""A run that is stopped, at any moment: its exit status says so, and nothing half-made is left."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
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


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every stage can run."""
    folder = tmp_path_factory.mktemp("signals")
    clip = moving_square(folder / "square", FRAMES, (96, 640))
    stroke = '{"path": [[0.05, 0.5], [0.07, 0.5]], "object_id": %d}'
    (folder / "s.json").write_text(f'{{"scribbles": [[{stroke % 1}]]}}')
    package.open(clip, store=folder / "vostool-store").session()
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


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("number", STOPS)
def test_a_stopped_run_says_so_and_leaves_nothing(
    ready: Path, tmp_path: Path, job: str, number: signal.Signals
) -> None:
    for wait in (0.8, 1.6, 2.6):
        folder = tmp_path / str(wait)
        shutil.copytree(ready, folder)
        words = [sys.executable, "-m", "vostool", *JOBS[job]]
        run = subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, text=True)
        time.sleep(wait)
        run.send_signal(number)
        _, err = run.communicate(timeout=60)
        # A shell shows both as 128 + number; the other came before the first line of ours.
        # In the midst of loading a library a stop may come out as an error of that library's.
        assert run.returncode in (0, 1, 128 + number, -number), err
        assert run.returncode == 1 or "Traceback" not in err, err
        assert left(folder) == set(), wait
        # It may have been stopped on its way out.
        assert len(list(folder.glob("m/*.png"))) in (0, FRAMES)
        if (folder / "new.h5").exists():
            Adapter.read(folder / "new.h5")
        shutil.rmtree(folder)


@pytest.mark.parametrize("number", STOPS)
def test_a_stop_while_nothing_runs_but_waits(tmp_path: Path, number: signal.Signals) -> None:
    words = [sys.executable, "-m", "vostool", "extract", "-"]
    run = subprocess.Popen(words, cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(1.5)
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 128 + number and err == b""
