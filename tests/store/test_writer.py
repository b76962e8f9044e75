"""Protects a stage in the making: taken up from what is surely whole, kept apart from all else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.store.test_store import KEY, METADATA, NETWORK, PYRAMID, making, same, some, stored
from vostool.store import CacheKey, Features, FeatureStore, Writer

OTHER = CacheKey({"clip": "other"})


def write(writer: Writer, features: Features, chunks: int | None = None) -> Writer:
    """Append from where the writer stands, at most some chunks."""
    writer.begin(PYRAMID, METADATA)
    for start in list(range(writer.done, len(features[0]), 8))[:chunks]:
        writer.append([level[start : start + 8] for level in features])
    return writer


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
def test_abandoned_anywhere_it_is_taken_up_there(tmp_path: Path, chunks: int) -> None:
    store, features = FeatureStore(tmp_path), some(20)
    write(store.clip("clip").writer(NETWORK, "backbone", KEY), features, chunks)
    again = store.clip("clip").writer(NETWORK, "backbone", KEY)
    assert again.done == min(8 * chunks, 20)
    assert same(write(again, features).finish().read(0, 20), features)


def test_a_chunk_beyond_the_last_record_is_written_again(tmp_path: Path) -> None:
    store, features = FeatureStore(tmp_path), some(20)
    writer = write(store.clip("clip").writer(NETWORK, "backbone", KEY), features, 1)
    record = (making(tmp_path) / "progress.json").read_bytes()
    write(writer, [-level for level in features], 1)
    (making(tmp_path) / "progress.json").write_bytes(record)  # as if killed before the record
    again = store.clip("clip").writer(NETWORK, "backbone", KEY)
    assert again.done == 8
    assert same(write(again, features).finish().read(0, 20), features)


def test_an_attempt_of_another_origin_leaves_no_trace(tmp_path: Path) -> None:
    store, features = FeatureStore(tmp_path), some(11)
    write(store.clip("clip").writer(NETWORK, "backbone", OTHER), some(20), 2)
    stage = write(store.clip("clip").writer(NETWORK, "backbone", KEY), features).finish()
    assert stage.frames == 11 and stage.cache_key == KEY
    assert same(stage.read(0, 11), features)


@pytest.mark.parametrize(
    "garbage", ["", "{", "[]", "{}", "null", "\0", '{"frames": 8}', '{"key": 1, "frames": "x"}']
)
def test_a_broken_record_of_progress_starts_afresh(tmp_path: Path, garbage: str) -> None:
    store, features = FeatureStore(tmp_path), some(20)
    write(store.clip("clip").writer(NETWORK, "backbone", KEY), features, 1)
    (making(tmp_path) / "progress.json").write_text(garbage)
    again = store.clip("clip").writer(NETWORK, "backbone", KEY)
    assert again.done == 0
    assert same(write(again, features).finish().read(0, 20), features)


def test_a_finished_stage_keeps_nothing_of_the_making(tmp_path: Path) -> None:
    features = some(20)
    writer = FeatureStore(tmp_path).clip("clip").writer(NETWORK, "context", KEY, has_state=True)
    writer.begin(PYRAMID, METADATA)
    writer.append(features, state=np.zeros(3))
    # What a kill leaves in the middle of a chunk and of a record:
    (making(tmp_path, "context") / "s8" / "c.0.0.1234.partial").write_bytes(b"half a chunk")
    (making(tmp_path, "context") / "progress.json.tmp").touch()
    (making(tmp_path, "context") / "tmp.state.npy").touch()
    (making(tmp_path, "context") / "8.state.npy").touch()
    folder = Path(writer.finish().place)
    kept = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    chunks = {f"{level}/c.{k}.0.0.0" for level in ("s8", "s16") for k in range(3)}
    assert kept == {"manifest.json", "zarr.json", "s8/zarr.json", "s16/zarr.json"} | chunks


def test_the_old_stage_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    features = some(20)
    stored(tmp_path, features, OTHER)
    write(FeatureStore(tmp_path).clip("clip").writer(NETWORK, "backbone", KEY), some(16))
    stage = FeatureStore(tmp_path).clip("clip").stage(NETWORK, "backbone")
    assert stage.cache_key == OTHER
    assert same(stage.read(0, 20), features)


def test_finishing_one_stage_leaves_another_in_the_making(tmp_path: Path) -> None:
    store, features = FeatureStore(tmp_path), some(20)
    write(store.clip("clip").writer(NETWORK, "backbone", KEY), features, 2)
    write(store.clip("clip").writer(NETWORK, "context", KEY), features).finish()
    assert store.clip("clip").writer(NETWORK, "backbone", KEY).done == 16


def test_not_a_number_and_the_largest_half_come_back(tmp_path: Path) -> None:
    odd = some(3)
    odd[0][0, 0, 0, :4] = np.nan, np.inf, -np.inf, np.finfo(np.float16).max
    back = stored(tmp_path, odd).read(0, 3)
    assert np.array_equal(back[0], odd[0], equal_nan=True)


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_chunks_in_turn_are_the_whole(tmp_path: Path, at_once: int) -> None:
    features = some(20)
    starts, parts = zip(*stored(tmp_path, features).by_chunk(at_once), strict=True)
    assert list(starts) == list(range(0, 20, at_once * 8))
    for number, level in enumerate(features):
        assert np.array_equal(np.concatenate([part[number] for part in parts]), level)
