"""A batch on a real Slurm: jobs are cancelled and killed, and in the end all is as without one."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.batch.slurm import PARTITION, Slurm
from tests.conftest import Vostool
from vostool.store import STAGES, FeatureStore

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


def states(done_json: str) -> dict[str, str]:
    """By clip, how far it is."""
    rows = [json.loads(line) for line in done_json.splitlines()]
    return {row["clip"]: row["state"] for row in rows}


def features(store: Path, clip: str) -> list[dict[str, tuple[int, int]]]:
    """The checksums of a clip's chunks, a stage each."""
    stages = [FeatureStore(store).clip(clip).stage("efficientnet-lite0", kind) for kind in STAGES]
    return [
        {path: (e.length, e.crc32c) for path, e in stage.manifest.files.items() if "/c." in path}
        for stage in stages
    ]


def test_twelve_clips_of_which_jobs_are_cancelled_and_killed(
    slurm: Slurm, vostool: Vostool, vostool_process: Vostool, walks: list[Path], tmp_path: Path
) -> None:
    ask = (
        *("batch", *walks, "--stages", "extract,propagate", "--out", "b", "--on", "slurm"),
        *("--partition", PARTITION, "--time", TWO_A_JOB, "--array", "2"),
    )
    begun = vostool(*ask, "--no-wait", "--json")
    assert begun.status == 0, begun.err
    assert set(states(begun.out).values()) <= {"waiting", "running"}
    again = vostool(*ask, "--no-wait")
    assert "0 to submit, 12 with jobs already" in again.err

    until(lambda: any((tmp_path / "b" / "jobs" / "outcomes").glob("*.jsonl")))
    running = slurm.ask("squeue", "-h", "-r", "-t", "RUNNING", "-o", "%i").split()
    slurm.ask("scancel", running[0])
    until(lambda: running[0] not in slurm.ask("squeue", "-h", "-r", "-o", "%i").split())
    running = slurm.ask("squeue", "-h", "-r", "-t", "RUNNING", "-o", "%i").split()
    slurm.ask("scancel", "--batch", "--signal=KILL", running[0])

    def left() -> set[str]:
        return {*states(vostool("batch", "status", "b", "--json").out).values()}

    until(lambda: not left() & {"running", "waiting"})
    assert left() == {"done", "to do"}

    done = vostool(*ask)
    assert done.status == 0, done.err
    assert done.out.split() == [walk.name for walk in walks]
    assert "0 to submit" in vostool(*ask).err

    store = Path(shutil.move(tmp_path / "store", tmp_path / "by-slurm"))
    plain = vostool_process("extract", *walks)
    assert vostool_process("propagate", "-", stdin=plain.out).out == done.out
    for walk in walks:
        assert features(store, walk.name) == features(tmp_path / "store", walk.name)


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
