"""What the decoder reads is what the paper's arg-max is taken of."""

from __future__ import annotations

import numpy as np

from vostool.backbones.efficientnet_lite import ARCHITECTURE
from vostool.decoder.scores import Scoring
from vostool.pyramid import Pyramid

SIZE = (70, 101)
PYRAMID = Pyramid(SIZE, SIZE, ARCHITECTURE.levels(*SIZE))


def test_scores_are_those_of_the_readable_way() -> None:
    rng = np.random.default_rng(0)
    features = [rng.normal(size=level.shape).astype(np.float16) for level in PYRAMID.levels]
    W = rng.normal(size=(PYRAMID.channels, 3))
    scoring = Scoring(PYRAMID, W)
    found = scoring.at(PYRAMID.levels[0], scoring.on_grid(features))
    rows, columns = PYRAMID.finest_to_pixels
    expected = PYRAMID.scores(features, PYRAMID.split(W[:, 1:] - W[:, :1]))
    np.testing.assert_allclose(rows @ found @ columns, expected, atol=1e-3)


def test_at_each_level_they_are_those_of_its_vertices() -> None:
    """Coarser than the grid they are averaged; finer, the grid's vertices are among its own."""
    scoring = Scoring(PYRAMID, np.zeros((PYRAMID.channels, 2)))
    height, width, _ = PYRAMID.grid.shape
    slope = np.tile(np.arange(width, dtype=np.float32), (1, height, 1)) * PYRAMID.grid.stride
    for level in PYRAMID.levels:
        found = scoring.at(level, slope)
        assert found.shape == (1, *level.shape[:2])
        expected = np.arange(level.shape[1]) * level.stride
        inner = slice(1, -2)
        np.testing.assert_allclose(found[0, 0, inner], expected[inner], atol=1e-3, rtol=1e-4)
