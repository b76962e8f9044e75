"""The local cache of chunks: never wrong, never over its bound, shared by processes."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.s3_server import S3Server
from tests.store.s3.conftest import ROOT
from tests.store.s3.test_s3_store import write
from tests.store.test_store import NETWORK, same, some
from vostool.errors import UsageError
from vostool.store import FeatureStore
from vostool.store.manifest import Entry
from vostool.store.s3.cache import ChunkCache, users_cache


def kept(folder: Path) -> int:
    """Bytes in a cache."""
    return sum(file.stat().st_size for file in folder.iterdir())


def content(number: int, length: int = 1000) -> bytes:
    return number.to_bytes(4, "big") * (length // 4)


def test_what_is_kept_comes_back_and_what_is_damaged_goes(tmp_path: Path) -> None:
    cache, entry = ChunkCache(tmp_path, 10_000), Entry.of(content(1))
    assert cache.get("one", entry) is None
    cache.put("one", content(1))
    assert cache.get("one", entry) == content(1)
    assert cache.get("one", Entry.of(content(2))) is None, "it is not what it must be"
    cache.put("one", content(1))
    (file,) = tmp_path.iterdir()
    for damage in (b"", content(1)[:-1], content(1)[:-1] + b"?"):
        file.write_bytes(damage)
        assert cache.get("one", entry) is None and not file.exists()


def test_it_keeps_its_bound_and_those_that_were_asked_for_last(tmp_path: Path) -> None:
    cache = ChunkCache(tmp_path, 10_000)
    for number in range(50):
        cache.put(str(number), content(number))
        assert kept(tmp_path) <= 10_000
        for file in tmp_path.iterdir():  # as if hours lay between
            os.utime(file, (file.stat().st_atime, file.stat().st_mtime - 3600))
        assert cache.get("0", Entry.of(content(0))), "asked for again and again"
    found = [n for n in range(50) if cache.get(str(n), Entry.of(content(n)))]
    assert found[0] == 0 and found[1:] == list(range(50 - len(found) + 1, 50)) and len(found) > 7


def test_none_is_kept_where_there_is_no_room(tmp_path: Path) -> None:
    for most in (0, 900):
        ChunkCache(tmp_path / "cache", most).put("one", content(1))
        assert not (tmp_path / "cache").exists() or not any((tmp_path / "cache").iterdir())


def test_a_disk_that_takes_nothing_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = ChunkCache(tmp_path / "file" / "cache", 10_000)
    cache.put("one", content(1))
    assert cache.get("one", Entry.of(content(1))) is None


def work(folder: Path, seed: int) -> int:
    """Puts and gets of what others put and get, too; how many were there."""
    cache, found = ChunkCache(folder, 20_000), 0
    for number in range(300):
        which = (number * 7 + seed) % 40
        had = cache.get(str(which), Entry.of(content(which)))
        assert had in (None, content(which))
        found += had is not None
        cache.put(str(which), content(which))
    return found


def test_processes_share_it(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(work, [tmp_path] * 4, range(4)))
    assert sum(found) > 100
    assert kept(tmp_path) <= 20_000 * (1 + 4 / 32) and not list(tmp_path.glob("tmp*"))


@pytest.mark.parametrize("told", ["much", "-1", "inf", "nan"])
def test_its_size_is_a_number(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv("VOSTOOL_CACHE_GB", told)
    with pytest.raises(UsageError, match=f"VOSTOOL_CACHE_GB={told}"):
        users_cache()


def test_chunks_are_fetched_once(store: FeatureStore, s3: S3Server, tmp_path: Path) -> None:
    write(store, some(20))
    clip = store.clip("clip")
    assert same(clip.stage(NETWORK, "backbone").read(0, 20), some(20))
    s3.requests.clear()
    stage = FeatureStore(ROOT).clip("clip").stage(NETWORK, "backbone")
    assert same(stage.read(0, 20), some(20))
    assert s3.requests == {"GET": 2}, "the manifest and the list"


def test_what_is_damaged_in_the_cache_is_fetched_again(
    store: FeatureStore, s3: S3Server, tmp_path: Path
) -> None:
    write(store, some(20))
    stage = store.clip("clip").stage(NETWORK, "backbone")
    stage.read(0, 20)
    for file in (tmp_path / "cache").iterdir():
        file.write_bytes(bytes(file.stat().st_size))
    assert same(FeatureStore(ROOT).clip("clip").stage(NETWORK, "backbone").read(0, 20), some(20))


def test_verify_looks_past_the_cache(store: FeatureStore, s3: S3Server) -> None:
    write(store, some(20))
    stage = store.clip("clip").stage(NETWORK, "backbone")
    stage.read(0, 20)
    key = next(key for key in s3.objects() if key.endswith("s8/c.1.0.0.0"))
    s3.write(key, bytes(len(s3.read(key))))
    assert [place for place, _ in stage.broken_files()] == [f"s3://clips/{key}"]


def test_a_bound_of_nothing_reads_nothing_either(
    store: FeatureStore, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, some(20))
    store.clip("clip").stage(NETWORK, "backbone").read(0, 20)
    monkeypatch.setenv("VOSTOOL_CACHE_GB", "0")
    s3.requests.clear()
    FeatureStore(ROOT).clip("clip").stage(NETWORK, "backbone").read(0, 20)
    assert s3.requests["GET"] == 2 + 3 + 2 * 3, "its metadata and its chunks are fetched"
