"""A reader sees a finished stage or none; damage is found and named; names stay in the store."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.cli.mends import one_line
from vostool.errors import (
    BrokenStageError,
    ClipNameError,
    MissingStageError,
    OutputError,
    StoreError,
    UnknownClipError,
)
from vostool.pyramid import Level, Pyramid
from vostool.store import CacheKey, ClipMetadata, Features, FeatureStore, Stage
from vostool.store.layout import check_name, chunk_name, clip_folder, partial_folder

METADATA = ClipMetadata("clip.mp4", 0, None, (32, 48), 25.0, "print")


def chunk_file(array: Path, chunk: int) -> Path:
    """The file of a level's K-th chunk."""
    return array / chunk_name(chunk)


def making(root: Path, stage: str = "backbone") -> Path:
    """The folder in which a stage of the clip is made."""
    return partial_folder(root, "clip") / NETWORK / stage


NETWORK = "net"
KEY = CacheKey({"clip": "abc", "backbone": NETWORK})


def pyramid(*shapes: tuple[int, int, int]) -> Pyramid:
    levels = tuple(Level(f"s{8 * 2**i}", 8 * 2**i, shape) for i, shape in enumerate(shapes))
    return Pyramid((32, 48), (32, 48), levels)


PYRAMID = pyramid((4, 6, 5), (2, 3, 7))


def some(frames: int, geometry: Pyramid = PYRAMID) -> Features:
    rng = np.random.default_rng(frames)
    return [rng.normal(size=(frames, *lv.shape)).astype(np.float16) for lv in geometry.levels]


def stored(root: Path, features: Features, key: CacheKey = KEY, name: str = "clip") -> Stage:
    clip = FeatureStore(root).clip(name)
    with clip.lock():
        writer = clip.writer(NETWORK, "backbone", key)
        writer.begin(PYRAMID, METADATA)
        for start in range(writer.done, len(features[0]), 8):
            writer.append([level[start : start + 8] for level in features])
        return writer.finish()


def same(a: Features, b: Features) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 5), st.integers(1, 9))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, frames: int, h: int, w: int, c: int
) -> None:
    geometry = pyramid((h, w, c))
    features = some(frames, geometry)
    store = FeatureStore(tmp_path_factory.mktemp("store"))
    writer = store.clip("clip").writer(NETWORK, "backbone", KEY)
    writer.begin(geometry, METADATA)
    for start in range(0, frames, 8):
        writer.append([level[start : start + 8] for level in features])
    stage = writer.finish()
    assert stage.frames == frames and stage.pyramid == geometry and stage.metadata == METADATA
    assert same(stage.read(0, frames), features)
    assert same(stage.read_frame(frames - 1), [level[-1] for level in features])


def test_chunks_of_zeros_are_there_too(tmp_path: Path) -> None:
    zeros = [np.zeros_like(level) for level in some(9)]
    assert same(stored(tmp_path, zeros).read(0, 9), zeros)


def test_an_unfinished_stage_is_no_stage(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    writer = store.clip("clip").writer(NETWORK, "backbone", KEY)
    writer.begin(PYRAMID, METADATA)
    writer.append(some(8))
    assert store.clip("clip").find(NETWORK, "backbone") is None
    assert store.clip("clip").unfinished(NETWORK) == ["backbone"]
    assert store.clip("clip").networks() == [NETWORK]
    with pytest.raises(MissingStageError, match="clip: no backbone features of net in") as caught:
        store.clip("clip").stage(NETWORK, "backbone")
    assert "vostool extract" in one_line(caught.value)


def test_an_unfinished_stage_is_taken_up_at_the_last_chunk(tmp_path: Path) -> None:
    features = some(20)
    store = FeatureStore(tmp_path)
    first = store.clip("clip").writer(NETWORK, "backbone", KEY)
    first.begin(PYRAMID, METADATA)
    first.append([level[:8] for level in features])
    first.append([level[8:16] for level in features])
    torn = chunk_file(making(tmp_path) / "s8", 2)
    torn.write_bytes(b"half a chunk that was being written when the run was killed")
    second = store.clip("clip").writer(NETWORK, "backbone", KEY)
    assert second.done == 16
    second.begin(PYRAMID, METADATA)
    second.append([level[16:] for level in features])
    assert same(second.finish().read(0, 20), features)


def test_a_stage_tells_what_it_took_over_all_attempts(tmp_path: Path) -> None:
    features, now = some(20), time.perf_counter()
    store = FeatureStore(tmp_path)
    first = store.clip("clip").writer(NETWORK, "backbone", KEY, begun=now - 1000)
    first.begin(PYRAMID, METADATA)
    first.append([level[:8] for level in features])
    second = store.clip("clip").writer(NETWORK, "backbone", KEY, begun=now - 200)
    second.append([level[8:] for level in features])
    assert 1200 < (second.finish().seconds or 0) < 1260
    assert store.clip("clip").stage(NETWORK, "backbone").cache_key == KEY, "it decides nothing"


def test_another_key_starts_afresh(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    first = store.clip("clip").writer(NETWORK, "backbone", KEY)
    first.begin(PYRAMID, METADATA)
    first.append(some(8))
    assert store.clip("clip").writer(NETWORK, "backbone", CacheKey({"clip": "other"})).done == 0


def test_a_state_comes_back_with_its_chunk(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    first = store.clip("clip").writer(NETWORK, "context", KEY, has_state=True)
    first.begin(PYRAMID, METADATA)
    first.append(some(8), state=np.full(3, 1.0))
    first.append(some(8), state=np.full(3, 2.0))
    second = store.clip("clip").writer(NETWORK, "context", KEY, has_state=True)
    assert second.done == 16
    state = second.state()
    assert state is not None
    np.testing.assert_array_equal(state, np.full(3, 2.0))
    (making(tmp_path, "context") / "16.state.npy").unlink()
    assert store.clip("clip").writer(NETWORK, "context", KEY, has_state=True).done == 0


def test_a_new_stage_replaces_the_old_one(tmp_path: Path) -> None:
    old = stored(tmp_path, some(9))
    stored(tmp_path, some(17), CacheKey({"clip": "new"}))
    assert FeatureStore(tmp_path).clip("clip").stage(NETWORK, "backbone").frames == 17
    with pytest.raises(StoreError, match="was changed"):
        old.check_unchanged()
    leftovers = [
        f for f in tmp_path.rglob("*") if "replaced" in f.name or f.name == "progress.json"
    ]
    assert leftovers == []


def test_a_flipped_byte_is_found_and_its_chunk_named(tmp_path: Path) -> None:
    stage = stored(tmp_path, some(20))
    assert list(stage.broken_files()) == []
    file = chunk_file(Path(stage.place) / "s16", 1)
    damaged = bytearray(file.read_bytes())
    damaged[7] ^= 1
    file.write_bytes(damaged)
    assert [broken for broken, _ in stage.broken_files()] == [str(file)]
    with pytest.raises(BrokenStageError) as caught:
        stage.read(0, 20)
    assert str(file) in str(caught.value) and "vostool store rm clip" in one_line(caught.value)
    stage.read(0, 8)  # the others are still good


def test_a_missing_chunk_is_not_read_as_zeros(tmp_path: Path) -> None:
    stage = stored(tmp_path, some(20))
    chunk_file(Path(stage.place) / "s8", 2).unlink()
    with pytest.raises(BrokenStageError, match=r"c\.2\.0\.0\.0"):
        FeatureStore(tmp_path).clip("clip").stage(NETWORK, "backbone")


def test_keys_tell_what_differs() -> None:
    key = CacheKey({"clip": "a", "network_height": 480}, {"device": "cpu"})
    assert key == CacheKey({"clip": "a", "network_height": 480}, {"device": "cuda"})
    other = CacheKey({"clip": "a", "network_height": 240})
    assert key != other and key.digest != other.digest
    assert other.difference(key) == "network height 480 is now 240"
    assert CacheKey.from_dict(key.as_dict()) == key
    assert CacheKey.from_dict({**key.as_dict(), "layout": 0}) != key


def test_removing(tmp_path: Path) -> None:
    stored(tmp_path, some(9))
    store = FeatureStore(tmp_path)
    assert store.names() == ["clip"]
    with pytest.raises(UnknownClipError, match="other: not in"):
        store.clip("other").remove()
    with pytest.raises(UnknownClipError, match="context of net of clip: not in"):
        store.clip("clip").remove(NETWORK, "context")
    store.clip("clip").remove()
    assert store.names() == []


def test_removing_a_part_leaves_the_rest(tmp_path: Path) -> None:
    features = some(9)
    stored(tmp_path, features)
    clip = FeatureStore(tmp_path).clip("clip")
    for network, stage in (("other", "backbone"), (NETWORK, "context")):
        writer = clip.writer(network, stage, KEY)
        writer.begin(PYRAMID, METADATA)
        writer.append([level[:8] for level in features])
    assert clip.networks() == [NETWORK, "other"]
    clip.remove("other")
    clip.remove(NETWORK, "context")
    assert clip.networks() == [NETWORK] and clip.unfinished(NETWORK) == []
    assert same(clip.stage(NETWORK, "backbone").read(0, 9), features)


@pytest.mark.parametrize("name", ["../x", "/x", "", ".x", "a/b", "..", "a\\b", "x" * 300, "a\n"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ClipNameError) as caught:
        check_name(name)
    assert "--name" in one_line(caught.value)


@given(st.text(max_size=20))
def test_no_name_that_passes_leaves_the_store(name: str) -> None:
    try:
        folder = clip_folder(Path("/store"), name)
    except StoreError:
        return
    assert folder.resolve().parent == Path("/store").resolve()


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    with (
        pytest.raises(OutputError, match="cannot be written"),
        FeatureStore(tmp_path / "store").clip("clip").lock(),
    ):
        pass
