"""A store in a bucket: what is written comes back, damage is named, and nothing else is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.s3_server import S3Server
from tests.store.s3.conftest import ROOT
from tests.store.test_store import KEY, METADATA, NETWORK, PYRAMID, same, some
from vostool.errors import BrokenStageError, MissingStageError, StoreError, UnknownClipError
from vostool.store import CacheKey, Features, FeatureStore, Stage, Writer, update_source
from vostool.store.stage import ClipMetadata

OTHER = CacheKey({"clip": "other"})


def write(
    store: FeatureStore,
    features: Features,
    key: CacheKey = KEY,
    name: str = "clip",
    chunks: int | None = None,
    stage: str = "backbone",
) -> Writer:
    """Append at most some chunks from where an earlier run stopped, and let go of the clip."""
    clip = store.clip(name)
    with clip.lock():
        writer = clip.writer(NETWORK, stage, key)
        append(writer, features, chunks)
        if chunks is None:
            writer.finish()
    return writer


def append(writer: Writer, features: Features, chunks: int | None = None) -> None:
    writer.begin(PYRAMID, METADATA)
    for start in list(range(writer.done, len(features[0]), 8))[:chunks]:
        writer.append([level[start : start + 8] for level in features])


def stored(store: FeatureStore, features: Features, key: CacheKey = KEY) -> Stage:
    write(store, features, key)
    return store.clip("clip").stage(NETWORK, "backbone")


@pytest.mark.parametrize("frames", [1, 7, 8, 9, 20])
def test_features_come_back(store: FeatureStore, frames: int) -> None:
    features = some(frames)
    stage = stored(store, features)
    assert same(stage.read(0, frames), features)
    assert same(stage.read_frame(frames - 1), [level[-1] for level in features])
    assert stage.metadata == METADATA and stage.cache_key == KEY and stage.network == NETWORK
    assert list(stage.broken_files()) == []


def test_chunks_of_zeros_are_there_too(store: FeatureStore) -> None:
    zeros = [np.zeros_like(level) for level in some(9)]
    assert same(stored(store, zeros).read(0, 9), zeros)


@pytest.mark.parametrize("name", ["Clip 01", "a+b=c,d@e", "ünïcode", "片", "x" * 200])
def test_any_name_of_a_clip_is_a_key(store: FeatureStore, name: str) -> None:
    write(store, some(3), name=name)
    assert store.names() == [name] and store.clip(name).networks() == [NETWORK]
    assert same(store.clip(name).stage(NETWORK, "backbone").read(0, 3), some(3))


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
def test_abandoned_anywhere_it_is_taken_up_there(
    store: FeatureStore, s3: S3Server, chunks: int
) -> None:
    features = some(20)
    write(store, features, chunks=chunks)
    assert store.clip("clip").find(NETWORK, "backbone") is None
    assert store.clip("clip").unfinished(NETWORK) == ["backbone"]
    with store.clip("clip").lock():
        writer = store.clip("clip").writer(NETWORK, "backbone", KEY)
        assert writer.done == min(8 * chunks, 20)
        append(writer, features)
        stage = writer.finish()
    assert same(stage.read(0, 20), features)
    assert store.clip("clip").unfinished(NETWORK) == []
    assert len(s3.objects("some/where/clip.zarr/")) == len(stage.manifest.files) + 1, "left behind"
    assert s3.objects("some/where/.partial/") == []


def test_an_attempt_of_another_origin_leaves_no_trace(store: FeatureStore, s3: S3Server) -> None:
    write(store, some(20), OTHER, chunks=2)
    features = some(11)
    stage = stored(store, features)
    assert stage.frames == 11 and same(stage.read(0, 11), features)
    assert len(s3.objects("some/where/clip.zarr/")) == len(stage.manifest.files) + 1


def test_the_old_stage_stays_until_the_new_one_is_whole(store: FeatureStore) -> None:
    features = some(20)
    old = stored(store, features, OTHER)
    write(store, some(16), chunks=2)
    assert same(store.clip("clip").stage(NETWORK, "backbone").read(0, 20), features)
    assert store.clip("clip").stage(NETWORK, "backbone").cache_key == OTHER
    assert stored(store, some(16)).cache_key == KEY
    with pytest.raises(StoreError, match="was changed"):
        old.check_unchanged()


def test_a_state_comes_back_with_its_chunk(store: FeatureStore, s3: S3Server) -> None:
    clip = store.clip("clip")
    with clip.lock():
        writer = clip.writer(NETWORK, "context", KEY, has_state=True)
        writer.begin(PYRAMID, METADATA)
        writer.append(some(8), state=np.full(3, 1.0))
        writer.append(some(8), state=np.full(3, 2.0))
    with clip.lock():
        again = clip.writer(NETWORK, "context", KEY, has_state=True)
        state = again.state()
    assert again.done == 16 and state is not None
    np.testing.assert_array_equal(state, np.full(3, 2.0))
    (key,) = [key for key in s3.objects() if key.endswith("state.npy")]
    s3.write(key, s3.read(key)[:-1] + b"?")
    with clip.lock():
        assert clip.writer(NETWORK, "context", KEY, has_state=True).done == 0


@pytest.mark.parametrize("what", ["manifest.json", "zarr.json", "c.1.0.0.0"])
def test_a_flipped_byte_is_found_and_never_read(
    store: FeatureStore, s3: S3Server, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stored(store, some(20))
    key = next(key for key in s3.objects() if key.endswith(what))
    content = bytearray(s3.read(key))
    content[len(content) // 2] ^= 1
    s3.write(key, bytes(content))
    if what == "c.1.0.0.0":
        assert [place for place, _ in stage.broken_files()] == [f"s3://clips/{key}"]
    monkeypatch.setenv("VOSTOOL_CACHE", str(tmp_path / "another"))
    with pytest.raises(BrokenStageError, match=r"s3://clips/some/where/clip\.zarr"):
        FeatureStore(ROOT).clip("clip").stage(NETWORK, "backbone").read(0, 20)


@pytest.mark.parametrize("what", ["zarr.json", "c.1.0.0.0"])
def test_what_is_missing_is_no_zeros(store: FeatureStore, s3: S3Server, what: str) -> None:
    stored(store, some(20))
    s3.delete(next(key for key in s3.objects() if key.endswith(what)))
    with pytest.raises(BrokenStageError, match="missing"):
        store.clip("clip").stage(NETWORK, "backbone")


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b"null", b"\xff\0"])
def test_a_broken_record_of_progress_starts_afresh(
    store: FeatureStore, s3: S3Server, garbage: bytes
) -> None:
    features = some(20)
    write(store, features, chunks=1)
    (record,) = s3.objects("some/where/.partial/")
    s3.write(record, garbage)
    with store.clip("clip").lock():
        writer = store.clip("clip").writer(NETWORK, "backbone", KEY)
        assert writer.done == 0
        append(writer, features)
        assert same(writer.finish().read(0, 20), features)


def test_a_chunk_that_another_has_damaged_is_written_again(
    store: FeatureStore, s3: S3Server
) -> None:
    features = some(20)
    write(store, features, chunks=2)
    key = next(key for key in s3.objects() if key.endswith("s16/c.1.0.0.0"))
    s3.write(key, bytes(len(s3.read(key))))
    assert same(stored(store, features).read(0, 20), features)


def test_where_a_clip_lies_now_is_its_stages_own(store: FeatureStore) -> None:
    stage = stored(store, some(9))
    moved = ClipMetadata("moved.mp4", 0, None, (32, 48), 25.0, "print")
    update_source(stage, moved)
    assert store.clip("clip").stage(NETWORK, "backbone").metadata == moved
    assert stored(store, some(9), OTHER).metadata == METADATA, "the old stage's"


def test_parts_are_removed(store: FeatureStore, s3: S3Server) -> None:
    write(store, some(9))
    write(store, some(9), stage="context")
    write(store, some(9), name="clip2")
    clip = store.clip("clip")
    clip.remove(NETWORK, "context")
    assert clip.find(NETWORK, "backbone") and not clip.has(NETWORK, "context")
    with pytest.raises(UnknownClipError):
        clip.remove(NETWORK, "context")
    clip.remove()
    assert store.names() == ["clip2"]
    assert all("clip2" in key or ".locks" in key for key in s3.objects())
    with pytest.raises(MissingStageError):
        clip.stage(NETWORK, "backbone")


def test_a_stamp_is_read_without_a_look_at_the_chunks(store: FeatureStore, s3: S3Server) -> None:
    clip = store.clip("clip")
    assert clip.stamp(NETWORK, "backbone") is None
    update_source(stored(store, some(9)), replace(METADATA, source="moved.mp4"))
    s3.requests.clear()
    stamp = clip.stamp(NETWORK, "backbone")
    assert stamp is not None and stamp.cache_key == KEY and stamp.frames == 9
    assert stamp.metadata.source == "moved.mp4"
    assert s3.requests == {"GET": 3}, "the manifest, the group, the source"
    s3.write(next(key for key in s3.objects() if key.endswith("manifest.json")), b"{}")
    assert clip.stamp(NETWORK, "backbone") is None


def test_a_contexts_networks_are_its_backbones_too(store: FeatureStore) -> None:
    write(store, some(9))
    digest = KEY.digest
    write(store, some(9), CacheKey({"features": digest, "model": "m"}), stage="context")
    context = store.clip("clip").stage(NETWORK, "context")
    assert context.networks == {"backbone": NETWORK, "model": "m"}
    assert store.clip("clip").features(NETWORK, "both").networks == context.networks
