"""What a classifier reads is what the stages hold, in their order."""

from __future__ import annotations

import numpy as np

from vostool.backbones import DEFAULT
from vostool.store import FeatureStore


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
