"""What a classifier reads is what the stages hold, in their order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from vostool.backbones import DEFAULT
from vostool.store import FeatureReader, Features, FeatureStore, KeptFeatures


def test_both_are_the_backbones_features_and_then_the_contexts(square_store: FeatureStore) -> None:
    square = square_store.clip("square")
    backbone, context = (square.stage(DEFAULT, name) for name in ("backbone", "context"))
    both = square.features(DEFAULT, "both")
    assert both.pyramid.channels == backbone.pyramid.channels + context.pyramid.channels
    wanted = [*backbone.read(0, 12), *context.read(0, 12)]
    chunks = [chunk for _, chunk in both.by_chunk()]
    for level, expected in enumerate(wanted):
        np.testing.assert_array_equal(np.concatenate([c[level] for c in chunks]), expected)
        np.testing.assert_array_equal(both.read(0, 12)[level], expected)
        np.testing.assert_array_equal(both.read_frame(5)[level], expected[5])
    assert both.cache_key.difference(backbone.cache_key), "the key tells of the context too"


class Counting:
    """Writes down what is read of a reader."""

    def __init__(self, reader: FeatureReader) -> None:
        self._reader = reader
        self.reads: list[tuple[int, int]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._reader, name)

    def read(self, start: int, stop: int) -> Features:
        """Features of the frames start..stop-1."""
        self.reads.append((start, stop))
        return self._reader.read(start, stop)


@pytest.fixture
def square(square_store: FeatureStore) -> Iterator[FeatureReader]:
    yield square_store.clip("square").features(DEFAULT, "both")


def kept(reader: FeatureReader, most_bytes: int) -> tuple[KeptFeatures, list[tuple[int, int]]]:
    counting = Counting(reader)
    return KeptFeatures(counting, most_bytes), counting.reads  # type: ignore[arg-type]


def test_what_is_kept_is_what_was_read(square: FeatureReader) -> None:
    ours, _ = kept(square, 1 << 30)
    assert (ours.kind, ours.network, ours.clip_name) == ("both", DEFAULT, "square")
    assert (ours.frames, ours.pyramid) == (square.frames, square.pyramid)
    assert (ours.metadata, ours.cache_key) == (square.metadata, square.cache_key)
    for start, stop in [(0, 1), (3, 8), (8, 12), (5, 10), (0, 12), (11, 12)]:
        for found, expected in zip(ours.read(start, stop), square.read(start, stop), strict=True):
            np.testing.assert_array_equal(found, expected)
    for found, expected in zip(ours.read_frame(9), square.read_frame(9), strict=True):
        np.testing.assert_array_equal(found, expected)
    for (first, chunk), (other, its) in zip(ours.by_chunk(), square.by_chunk(), strict=True):
        assert first == other
        for found, expected in zip(chunk, its, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_chunk_is_read_once_whatever_is_asked_of_it(square: FeatureReader) -> None:
    ours, reads = kept(square, 1 << 30)
    for frame in [3, 7, 0, 11, 8, 3]:
        ours.read_frame(frame)
    list(ours.by_chunk())
    assert reads == [(0, 8), (8, 12)]


def test_memory_is_bounded_and_what_was_asked_for_last_stays(square: FeatureReader) -> None:
    chunk = sum(level.nbytes for level in square.read(0, 8))
    ours, reads = kept(square, chunk)
    for frame in [0, 9, 10, 1, 2, 9]:
        ours.read_frame(frame)
    assert reads == [(0, 8), (8, 12), (0, 8), (8, 12)], "one chunk at a time has room"
    ours, reads = kept(square, 0)
    ours.read_frame(0)
    ours.read_frame(1)
    assert reads == [(0, 8)], "the last one is kept whatever it takes"
