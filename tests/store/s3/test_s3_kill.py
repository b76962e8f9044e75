"""Protects readers and later runs from a run that ends before any single request to the bucket.

The writer is run again and again, and each time the process ends as SIGKILL ends it before its n-th
request that changes something, until it comes through; what the run before left is copied anew each
time. After each end a reader sees the old stage whole, the new one whole, or none, and the next run
finishes the new one, bit for bit, and leaves nothing else behind.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.conftest import REPOSITORY, Vostool, moving_square
from tests.s3_server import S3Server
from tests.store.s3.conftest import ROOT
from tests.store.test_store import KEY, METADATA, NETWORK, pyramid, same, some
from vostool.backbones import DEFAULT
from vostool.cli import main
from vostool.store import CacheKey, Features, FeatureStore
from vostool.store.s3 import bucket, lease

OLD, FRAMES = CacheKey({"clip": "old"}), 12
PYRAMID = pyramid((4, 6, 5))
CHANGES = ("put", "swap", "delete")


class KilledError(BaseException):
    """The end of a process, as seen by what would have run in it."""


def make(stop_at: int = FRAMES) -> Features:
    """One run: takes up or begins the stage and finishes it, with a state."""
    clip, features = FeatureStore(ROOT).clip("clip"), some(FRAMES, PYRAMID)
    with clip.lock():
        writer = clip.writer(NETWORK, "backbone", KEY, has_state=True)
        writer.begin(PYRAMID, METADATA)
        state = writer.state()
        assert (state is None) == (writer.done == 0)
        for start in range(writer.done, stop_at, 8):
            assert state is None or state[0] == start, "the state of another chunk"
            stop = min(start + 8, FRAMES)
            state = np.full(3, stop)
            writer.append([level[start:stop] for level in features], state=state)
        if writer.done == FRAMES:
            writer.finish()
    return features


def make_old() -> None:
    clip = FeatureStore(ROOT).clip("clip")
    with clip.lock():
        writer = clip.writer(NETWORK, "backbone", OLD)
        writer.begin(PYRAMID, METADATA)
        writer.append(some(5, PYRAMID))
        writer.finish()


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Make the stage, and end before the n-th change, the letting go of the lock among them."""
    steps = 0

    def wrap(name: str) -> None:
        real = getattr(bucket.Bucket, name)

        def change(self: bucket.Bucket, *words: object) -> object:
            nonlocal steps
            steps += 1
            if steps >= step:
                raise KilledError
            return real(self, *words)

        monkeypatch.setattr(bucket.Bucket, name, change)

    with monkeypatch.context() as monkeypatch:
        for name in CHANGES:
            wrap(name)
        try:
            make()
        except KilledError:
            return True
    return False


@pytest.mark.parametrize("half_done", [False, True], ids=["afresh", "half done, over an old one"])
def test_a_run_may_end_at_any_request(
    s3: S3Server, half_done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE", 0.3)  # of those that are killed
    monkeypatch.setattr(lease, "MARGIN", -10.0)  # a busy machine is no lost clip here
    monkeypatch.setattr(lease, "LOOK", 0.05)
    for step in count(1):
        s3.clear()
        if half_done:
            make_old()
            make(stop_at=8)
        killed = killed_at(step, monkeypatch)
        stage = FeatureStore(ROOT).clip("clip").find(NETWORK, "backbone")
        assert stage is not None or not half_done, "the old stage is lost"
        if stage is not None:
            expected = some(5 if stage.cache_key == OLD else FRAMES, PYRAMID)
            assert same(stage.read(0, stage.frames), expected), f"killed at {step}: a broken stage"
        features = make()
        stage = FeatureStore(ROOT).clip("clip").stage(NETWORK, "backbone")
        assert stage.cache_key == KEY and same(stage.read(0, FRAMES), features), f"at {step}"
        assert list(stage.broken_files()) == []
        folder = f"some/where/clip.zarr/{NETWORK}/backbone"
        kept = {f"{folder}/{place}" for place in {"manifest.json", *stage.manifest.places}}
        assert set(s3.objects()) == {*kept, "some/where/.locks/clip.lock"}, f"at {step}"
        if not killed:
            break
    assert step > 10


def start(*arguments: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "vostool", *map(str, arguments)]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY
    )


def test_a_killed_command_is_taken_up(
    vostool: Vostool, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SIGKILL, while it writes: the next waits until the clip is free, and goes on."""
    clip = moving_square(tmp_path / "square", 40)
    chunks: list[str] = []
    reached = 3

    def seen(method: str, path: str) -> None:
        if method == "PUT" and "/s8/c." in path:
            chunks.append(path)
            if len(chunks) == reached:
                run.send_signal(signal.SIGKILL)
                time.sleep(0.5)

    s3.seen = seen
    run = start("extract", clip, "--store", ROOT)
    assert run.wait(120) == -signal.SIGKILL
    run.communicate()
    done = len(chunks)
    monkeypatch.setattr(lease, "LEASE", 6.0)
    monkeypatch.setattr(lease, "MARGIN", 0.0)
    again = CliRunner().invoke(main, ["extract", str(clip), "--store", ROOT])
    assert again.exit_code == 0, again.output
    assert "another run writes it; waiting" in again.output
    assert len(chunks) - done < 5, "it went on where the killed one stopped"
    assert vostool("extract", clip, "--store", tmp_path / "disk").status == 0
    mine = FeatureStore(ROOT).clip("square").stage(DEFAULT, "backbone")
    theirs = FeatureStore(tmp_path / "disk").clip("square").stage(DEFAULT, "backbone")
    assert same(mine.read(0, 40), theirs.read(0, 40))
    assert vostool("store", "verify", "--store", ROOT).status == 0


def test_two_commands_at_once(s3: S3Server, tmp_path: Path) -> None:
    clip = moving_square(tmp_path / "square", 40)
    runs = [start("extract", clip, "--store", ROOT) for _ in range(2)]
    ends = [(*run.communicate(timeout=240), run.returncode) for run in runs]
    assert [status for _, _, status in ends] == [0, 0], ends
    assert [out for out, _, _ in ends] == ["square\n", "square\n"]
    stage = FeatureStore(ROOT).clip("square").stage(DEFAULT, "backbone")
    assert stage.frames == 40 and list(stage.broken_files()) == []
    assert len([key for key in s3.objects() if "/s8/c." in key]) == 5, "one of them made it"
