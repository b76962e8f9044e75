"""Protects readers and later runs from a run that ends at any single step of making a stage.

The writer is run again and again, and each time the process ends before its n-th step on the file
system (an audit hook counts them), until it comes through. After each end, a reader sees the old
stage whole, the new one whole, or none; and the next run finishes the new one, bit for bit.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import REPOSITORY
from tests.store.test_store import KEY, METADATA, NETWORK, pyramid, same, some
from vostool.store import CacheKey, Features, FeatureStore

OLD, FRAMES = CacheKey({"clip": "old"}), 12
KILLED = 77
PYRAMID = pyramid((4, 6, 5))


def make(root: Path, stop_at: int = FRAMES) -> Features:
    """One run: takes up or begins the stage and finishes it, with a state."""
    store, features = FeatureStore(root), some(FRAMES, PYRAMID)
    with store.clip("clip").lock():
        writer = store.clip("clip").writer(NETWORK, "backbone", KEY, has_state=True)
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


def make_old_and_half_of_new(root: Path) -> None:
    old = FeatureStore(root).clip("clip").writer(NETWORK, "backbone", OLD)
    old.begin(PYRAMID, METADATA)
    old.append(some(5, PYRAMID))
    old.finish()
    make(root, stop_at=8)


def end_at_step(last: int) -> None:
    """From now on, end this process as SIGKILL does before its n-th step on the file system."""
    steps = 0

    def look(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal steps
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
        if writes or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"):
            steps += 1
            if steps == last:
                os._exit(KILLED)

    sys.addaudithook(look)


def in_fork(work: Callable[[], None]) -> int:
    """The status of some work in a process of its own."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        work()
        os._exit(0)
    except BaseException as problem:
        print(repr(problem), file=sys.stderr, flush=True)
    finally:
        os._exit(1)


def all_steps(folder: Path, half_done: bool) -> int:
    """End a run at each of its steps; how many there were. No thread may run yet: it forks."""
    template = folder / "template"
    template.mkdir()
    if half_done:
        assert in_fork(lambda: make_old_and_half_of_new(template)) == 0

    def make_and_end_at(root: Path, step: int) -> None:
        end_at_step(step)
        make(root)

    for step in count(1):
        root = folder / str(step)
        shutil.copytree(template, root)
        status = in_fork(partial(make_and_end_at, root, step))
        assert status in (0, KILLED), f"step {step}: status {status}"
        assert in_fork(partial(look_and_mend, root)) == 0, f"ended at step {step}"
        shutil.rmtree(root)
        if status == 0:
            return step - 1
    raise AssertionError


def look_and_mend(root: Path) -> None:
    stage = FeatureStore(root).clip("clip").find(NETWORK, "backbone")
    if stage is not None:
        expected = some(5 if stage.cache_key == OLD else FRAMES, PYRAMID)
        assert same(stage.read(0, stage.frames), expected), "a reader sees a broken stage"
    features = make(root)
    stage = FeatureStore(root).clip("clip").stage(NETWORK, "backbone")
    assert stage.cache_key == KEY
    assert same(stage.read(0, FRAMES), features), "the next run made other features"
    assert not list(stage.broken_files())
    ours = ("c.", "zarr.json", "manifest.json")
    left = [f for f in Path(stage.place).rglob("*") if f.is_file() and not f.name.startswith(ours)]
    assert not left, f"left behind: {left}"
    assert not (root / ".partial" / "clip").exists()


@pytest.mark.parametrize("half_done", [False, True], ids=["afresh", "half done, over an old one"])
def test_a_run_may_end_at_any_step(tmp_path: Path, half_done: bool) -> None:
    """In a process of its own, without threads, so that it may fork."""
    program = (
        "import sys; from pathlib import Path;"
        "from tests.store.test_kill_at_each_step import all_steps;"
        "print(all_steps(Path(sys.argv[1]), sys.argv[2] == 'True'))"
    )
    words = [sys.executable, "-c", program, str(tmp_path), str(half_done)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
