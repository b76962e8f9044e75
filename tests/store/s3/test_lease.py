"""Protects a clip from two writers: one holds it, a killed one's is taken over."""

from __future__ import annotations

import json
import threading
import time

import pytest

from tests.s3_server import S3Server
from tests.store.s3.conftest import ROOT
from tests.store.test_store import KEY, METADATA, NETWORK, PYRAMID, same, some
from vostool.errors import OutputError, StoreError
from vostool.store import CacheKey, FeatureStore
from vostool.store.s3 import lease
from vostool.store.s3.bucket import Bucket, ConflictError

LOCK = "some/where/.locks/clip.lock"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases of a second."""
    monkeypatch.setattr(lease, "LEASE", 1.0)
    monkeypatch.setattr(lease, "MARGIN", 0.3)
    monkeypatch.setattr(lease, "REFRESH", 0.1)
    monkeypatch.setattr(lease, "LOOK", 0.05)


def test_of_those_who_swap_one_succeeds(s3: S3Server) -> None:
    """By the server: what locks stand on."""
    bucket = Bucket(ROOT)
    for before in (None, bucket.swap("other", b"first", None)):
        ends: list[str] = []

        def swap(number: int, before: str | None = before, ends: list[str] = ends) -> None:
            try:
                bucket.swap("one" if before is None else "other", b"%d" % number, before)
                ends.append("had it")
            except ConflictError:
                ends.append("too late")

        threads = [threading.Thread(target=swap, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(ends) == ["had it", *7 * ["too late"]]


def test_the_lock_tells_who_holds_it_and_since_when(store: FeatureStore, s3: S3Server) -> None:
    with store.clip("clip").lock():
        told = json.loads(s3.read(LOCK))
        assert "process" in told["owner"] and told["time"].startswith("20")
    assert json.loads(s3.read(LOCK))["owner"] is None
    begun = time.monotonic()
    with store.clip("clip").lock(lambda: pytest.fail("it is free")):
        assert time.monotonic() - begun < lease.LEASE / 2


def test_one_waits_for_the_other(store: FeatureStore, quick: None) -> None:
    """Longer than a lease, for the other says again and again that it is there."""
    told, order = [], []

    def second() -> None:
        with FeatureStore(ROOT).clip("clip").lock(lambda: told.append("waiting")):
            order.append("second")

    thread = threading.Thread(target=second)
    with store.clip("clip").lock():
        thread.start()
        time.sleep(2.5)
        order.append("first")
    thread.join()
    assert order == ["first", "second"] and told == ["waiting"]


def test_a_killed_holders_clip_is_free_in_a_while_and_one_of_many_gets_it(
    store: FeatureStore, s3: S3Server, quick: None
) -> None:
    s3.write(LOCK, b'{"owner": "elsewhere, process 1", "token": "gone", "time": "1999"}')
    inside, most, begun = [0], [0], time.monotonic()
    counting = threading.Lock()

    def take() -> None:
        with FeatureStore(ROOT).clip("clip").lock():
            with counting:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.2)
            with counting:
                inside[0] -= 1

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1 and time.monotonic() - begun > lease.LEASE


def test_a_lock_that_is_damaged_is_nobodys(store: FeatureStore, s3: S3Server) -> None:
    for garbage in (b"", b"{", b"[]", b"\xff", b'{"token": 3}'):
        s3.write(LOCK, garbage)
        with store.clip("clip").lock(lambda: pytest.fail("it is free")):
            pass


def test_a_run_that_was_held_up_changes_nothing(
    store: FeatureStore, s3: S3Server, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a laptop that slept: another run has made the stage meanwhile."""
    features, clip = some(20), store.clip("clip")
    refresh = lease.Lease._refresh
    monkeypatch.setattr(lease.Lease, "_refresh", lambda _: None)
    with clip.lock():
        writer = clip.writer(NETWORK, "backbone", CacheKey({"clip": "older"}))
        writer.begin(PYRAMID, METADATA)
        writer.append([level[:8] for level in some(8)])
        monkeypatch.setattr(lease.Lease, "_refresh", refresh)
        other = FeatureStore(ROOT).clip("clip")
        with other.lock():
            new = other.writer(NETWORK, "backbone", KEY)
            new.begin(PYRAMID, METADATA)
            new.append([level[:8] for level in features])
            new.append([level[8:16] for level in features])
            with pytest.raises(StoreError, match="run this again"):
                writer.append([level[:8] for level in some(8)])
            with pytest.raises(StoreError, match="run this again"):
                writer.finish()
            monkeypatch.setattr(lease, "LEASE", 60.0)  # as if it had not noticed
            with pytest.raises(StoreError, match="run this again"):
                writer.append([level[:8] for level in some(8)])
            new.append([level[16:] for level in features])
            new.finish()
    stage = store.clip("clip").stage(NETWORK, "backbone")
    assert stage.cache_key == KEY and same(stage.read(0, 20), features)
    assert list(stage.broken_files()) == []


def test_an_answer_that_was_lost_does_not_lose_the_clip(
    store: FeatureStore, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said has arrived, and nobody said so: the ETag is another than the holder knows."""
    swap = Bucket.swap
    lost = [True]

    def deaf(self: Bucket, key: str, content: bytes, etag: str | None) -> str:
        answer = swap(self, key, content, etag)
        if etag is not None and lost:
            lost.clear()
            raise OutputError("no answer")
        return answer

    with store.clip("clip").lock():
        monkeypatch.setattr(Bucket, "swap", deaf)
        time.sleep(1.5)
        assert not lost
        writer = store.clip("clip").writer(NETWORK, "backbone", KEY)
        writer.begin(PYRAMID, METADATA)
        writer.append(some(8))
        assert writer.finish().frames == 8
