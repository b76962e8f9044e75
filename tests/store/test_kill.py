"""A run killed at any moment leaves nothing that a later run takes for whole, and the later run
goes on from the last finished chunk. Two runs at once do not spoil each other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Vostool, moving_square
from vostool.backbones import DEFAULT
from vostool.store import Features, FeatureStore

FRAMES = 90


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return moving_square(tmp_path / "long", FRAMES, (192, 256))


def start(*arguments: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "vostool", *map(str, arguments)]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def kill_when_begun(process: subprocess.Popen[str], progress: Path, chunks: int) -> int:
    """SIGKILL the run once it has finished some chunks; how many frames it had done by then."""
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if progress.exists() and json.loads(progress.read_text())["frames"] >= 8 * chunks:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return int(json.loads(progress.read_text())["frames"]) if progress.exists() else 0


def features(root: Path, stage: str, name: str) -> Features:
    return FeatureStore(root).clip(name).stage(DEFAULT, stage).read(0, FRAMES)


def test_killed_runs_are_taken_up(vostool: Vostool, clip: Path, tmp_path: Path) -> None:
    store, whole = tmp_path / "store", tmp_path / "whole"
    assert vostool("extract", clip, "--store", whole).status == 0
    assert vostool("propagate", "long", "--store", whole).status == 0
    for command, stage in ((("extract", clip), "backbone"), (("propagate", "long"), "context")):
        progress = store / ".partial" / "long" / "efficientnet-lite0" / stage / "progress.json"
        done = []
        for chunks in (1, 3):
            done.append(kill_when_begun(start(*command, "--store", store), progress, chunks))
            assert FeatureStore(store).clip("long").find(DEFAULT, stage) is None
        assert done[0] > 0 and done[1] >= 24, "the second run went on from the first"
        assert vostool(*command, "--store", store).status == 0
        for mine, theirs in zip(
            features(store, stage, "long"), features(whole, stage, "long"), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)
    assert vostool("store", "verify", "--store", store).status == 0
    assert not (store / ".partial" / "long").exists()


def test_two_runs_at_once(clip: Path, tmp_path: Path) -> None:
    runs = [start("extract", clip, "--store", tmp_path / "store") for _ in range(2)]
    ends = [(*run.communicate(timeout=120), run.returncode) for run in runs]
    assert [status for _, _, status in ends] == [0, 0]
    assert [out for out, _, _ in ends] == ["long\n", "long\n"]
    assert sum("another run" in err for _, err, _ in ends) == 1
    stage = FeatureStore(tmp_path / "store").clip("long").stage(DEFAULT, "backbone")
    assert stage.frames == FRAMES and list(stage.broken_files()) == []


def test_a_full_disk_is_one_line_and_keeps_what_was_there(
    vostool: Vostool, clip: Path, tmp_path: Path
) -> None:
    """A limit on file sizes stands in for the disk: writing beyond it fails in the same way."""
    store = tmp_path / "store"
    assert vostool("extract", clip, "--frames", "0:9", "--store", store).status == 0
    program = (
        "import resource, signal, sys;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "sys.argv[0] = 'vostool';"
        "from vostool.cli import run; run()"
    )
    words = [sys.executable, "-c", program, "extract", str(clip), "--store", str(store)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr and "Traceback" not in done.stderr
    assert FeatureStore(store).clip("long").stage(DEFAULT, "backbone").frames == 9
