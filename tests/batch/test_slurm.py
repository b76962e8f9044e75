"""A batch on a real Slurm: jobs are cancelled and killed, and in the end all is as without one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.batch.conftest import FRAMES
from tests.batch.slurm import PARTITION, Slurm
from tests.conftest import EXAMPLES, Vostool

pytest.importorskip("submitit", reason="no submitit: pip install 'vostool[batch]'")
SECONDS = 300.0
"""How long jobs may take, beside others on a busy machine."""
TWO_A_JOB = "4"
"""Minutes: half of them are as many clips as a job has, of a minute each."""


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums in one order, in jobs and without them."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def until(ready: Callable[[], bool]) -> None:
    """Wait for something that a scheduler does."""
    end = time.monotonic() + SECONDS
    while not ready():
        assert time.monotonic() < end, "too slow"
        time.sleep(0.2)


def a_running_job(slurm: Slurm) -> str:
    """One that runs, as soon as there is one."""
    running: list[str] = []

    def look() -> bool:
        running[:] = slurm.ask("squeue", "-h", "-r", "-t", "RUNNING", "-o", "%i").split()
        return bool(running)

    until(look)
    return running[0]


def states(done_json: str) -> dict[str, str]:
    """By clip, how far it is."""
    rows = [json.loads(line) for line in done_json.splitlines()]
    return {row["clip"]: row["state"] for row in rows}


def write_scribbles(folder: Path) -> list[Path]:
    """The example's two rounds, each on the walk that has its frame."""
    files = []
    for walk, name in ((0, "bikes.json"), (8, "bikes-round2.json")):
        strokes = json.loads((EXAMPLES / name).read_text())["scribbles"]
        part = strokes[walk * FRAMES :][:FRAMES]
        files.append(folder / f"walk{walk:02d}.json")
        content = {"sequence": f"walk{walk:02d}", "scribbles": [*part, *[[]] * FRAMES][:FRAMES]}
        files[-1].write_text(json.dumps(content))
    return files


@pytest.fixture
def plain(
    vostool_process: Vostool, walks: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """All twelve without a scheduler: ``mice.h5``, fitted on two, and the masks of all."""
    names = "\n".join(walk.name for walk in walks)
    scribbles = [("--scribbles", file) for file in write_scribbles(tmp_path)]
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("VOSTOOL_STORE", str(tmp_path / "plain-store"))
        for words in (
            ("extract", *walks),
            ("adapt", "walk00", "walk08", *scribbles[0], *scribbles[1], "--out", "mice.h5"),
            ("render", "-", "--adapter", "mice.h5", "--out", "plain"),
        ):
            done = vostool_process(*words, stdin=names)
            assert done.status == 0, done.err
    return tmp_path / "plain"


def test_twelve_clips_of_which_jobs_are_cancelled_and_killed(
    slurm: Slurm, vostool: Vostool, walks: list[Path], plain: Path, tmp_path: Path
) -> None:
    ask = (
        *("batch", *walks, "--stages", "extract,propagate,render", "--adapter", "mice.h5"),
        *("--out", "b", "--on", "slurm", "--partition", PARTITION, "--time", TWO_A_JOB),
        *("--array", "2"),
    )
    begun = vostool(*ask, "--no-wait", "--json")
    assert begun.status == 0, begun.err
    assert set(states(begun.out).values()) <= {"waiting", "running"}
    again = vostool(*ask, "--no-wait")
    assert "0 to submit, 12 with jobs already" in again.err

    until(lambda: any((tmp_path / "b" / "jobs" / "outcomes").glob("*.jsonl")))
    cancelled = a_running_job(slurm)
    slurm.ask("scancel", cancelled)
    until(lambda: cancelled not in slurm.ask("squeue", "-h", "-r", "-o", "%i").split())
    slurm.ask("scancel", "--batch", "--signal=KILL", a_running_job(slurm))

    def left() -> set[str]:
        return {*states(vostool("batch", "status", "b", "--json").out).values()}

    until(lambda: not left() & {"running", "waiting"})
    assert left() == {"done", "to do"}

    done = vostool(*ask)
    assert done.status == 0, done.err
    assert done.out.split() == [walk.name for walk in walks]
    assert "0 to submit" in vostool(*ask).err

    for walk in walks:
        masks = sorted((tmp_path / "b" / "masks" / walk.name).glob("*.png"))
        assert len(masks) == FRAMES
        for mask in masks:
            assert mask.read_bytes() == (plain / walk.name / mask.name).read_bytes(), mask


def test_what_slurm_says_is_passed_on(slurm: Slurm, vostool: Vostool, walks: list[Path]) -> None:
    ask = ("batch", *walks, "--stages", "extract", "--out", "b", "--on", "slurm")
    done = vostool(*ask, "--partition", "none-such")
    assert (done.status, len(done.errors)) == (1, 1)
    assert "Error: sbatch: invalid partition specified: none-such" in done.errors[0]
    assert not slurm.ask("squeue", "-h")


def test_a_batch_is_cancelled(slurm: Slurm, vostool: Vostool, walks: list[Path]) -> None:
    ask = ("batch", *walks, "--stages", "extract,propagate", "--out", "b", "--on", "slurm")
    assert vostool(*ask, "--no-wait").status == 0
    told = vostool("batch", "cancel", "b")
    assert told.err.startswith("b: ") and told.err.endswith(" jobs stopped\n")
    until(lambda: not slurm.ask("squeue", "-h"))
    assert "running" not in vostool("batch", "status", "b", "--json").out
