"""Chunks are fetched side by side, and ahead of who reads on; for a frame no more than its own."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from tests.s3_server import S3Server
from tests.store.s3.conftest import ROOT
from tests.store.s3.test_s3_store import write
from tests.store.test_store import NETWORK, same, some
from vostool.errors import BrokenStageError, UnreachableError
from vostool.store import FeatureStore, Stage
from vostool.store.s3 import bucket

FRAMES = 80


@pytest.fixture
def stage(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage of ten chunks of two levels, and no cache."""
    monkeypatch.setenv("VOSTOOL_CACHE_GB", "0")
    write(store, some(FRAMES))
    return FeatureStore(ROOT).clip("clip").stage(NETWORK, "backbone")


def test_one_frame_fetches_its_chunk_alone(stage: Stage, s3: S3Server) -> None:
    for frame in (20, 60):
        s3.requests.clear()
        assert same(stage.read_frame(frame), [level[frame] for level in some(FRAMES)])
        assert s3.requests == {"GET": 2}, "a chunk a level"


def test_who_reads_on_finds_it_there(stage: Stage, s3: S3Server) -> None:
    fetched: list[str] = []
    s3.seen = lambda method, path: fetched.append(path)
    for start, features in stage.by_chunk():
        if start == 8:
            time.sleep(1)
            assert len(fetched) == 2 * (2 + 2), "two chunks more than were asked for"
        assert same(features, [level[start : start + 8] for level in some(FRAMES)])
    assert len(fetched) == len(set(fetched)) == 2 * FRAMES // 8, "each chunk once"


def test_chunks_that_are_read_at_once_are_fetched_once(stage: Stage, s3: S3Server) -> None:
    for start in (0, 24, 8, 48):
        s3.requests.clear()
        assert same(stage.read(start, start + 24), [lv[start : start + 24] for lv in some(FRAMES)])
        time.sleep(0.5)
        assert 6 - 2 * 2 <= s3.requests["GET"] <= 6 + 2 * 2, "but for those ahead"


def test_they_are_under_way_at_once(stage: Stage, s3: S3Server) -> None:
    now, most, counting = [0], [0], threading.Lock()

    def seen(method: str, path: str) -> None:
        with counting:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.1)
        with counting:
            now[0] -= 1

    s3.seen = seen
    assert same(stage.read(0, FRAMES), some(FRAMES))
    assert most[0] >= 4
    most[0] = 0
    again = FeatureStore(ROOT).clip("clip").stage(NETWORK, "backbone")
    parts = [features for _, features in again.by_chunk()]
    assert most[0] >= 4
    for number, level in enumerate(some(FRAMES)):
        assert np.array_equal(np.concatenate([part[number] for part in parts]), level)


def test_a_chunk_that_is_gone_or_damaged_is_named(stage: Stage, s3: S3Server) -> None:
    gone, damaged = (
        next(key for key in s3.objects() if key.endswith(f"s8/c.{n}.0.0.0")) for n in (3, 7)
    )
    s3.delete(gone)
    s3.write(damaged, bytes(len(s3.read(damaged))))
    stage.read(0, 24)
    with pytest.raises(BrokenStageError, match=r"c\.3\.0\.0\.0: missing"):
        stage.read(24, 32)
    with pytest.raises(BrokenStageError, match=r"c\.7\.0\.0\.0: damaged"):
        stage.read(56, 64)


def test_a_server_that_is_gone_is_no_damage(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    another = S3Server()
    another.clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL", another.url)
    monkeypatch.setattr(bucket, "_RETRIES", {"max_retries": 0})
    write(FeatureStore(ROOT), some(FRAMES))
    stage = FeatureStore(ROOT).clip("clip").stage(NETWORK, "backbone")
    another.close()
    with pytest.raises(UnreachableError, match="no answer from http://127"):
        stage.read(0, 8)
