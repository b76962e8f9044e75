"""What the decoder reads of the ridge classifier: each object's score against background."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from vostool.onnx_graph import Compiled, Graph
from vostool.pyramid import FloatArray, Level, Pyramid
from vostool.store import Features


class Scoring:
    """The ridge classifier's scores of some frames.

    Args:
        pyramid: the features' geometry.
        W: (C, K + 1) of Eq. 3, background first.
    """

    def __init__(self, pyramid: Pyramid, W: npt.NDArray[np.float64]) -> None:
        # Scores against background's: one map fewer, and the largest is the same.
        self._parts = pyramid.split(W[:, 1:] - W[:, :1])
        self._to_grid = pyramid.to_grid
        grid = pyramid.levels.index(pyramid.grid)
        self._onto = {level: pyramid.onto(level)[grid] for level in pyramid.backbone.levels}

    def on_grid(self, levels: Features) -> FloatArray:
        """Scores (K, h, w) of a frame's objects, each against background, on the pyramid's grid.

        Args:
            levels: (h, w, C) each, finest first.
        """
        scores: FloatArray = np.zeros((1, 1, 1), np.float32)
        for level, part, (rows, columns) in zip(levels, self._parts, self._to_grid, strict=True):
            height, width, channels = level.shape
            (flat,) = _product()(features=level.reshape(-1, channels), weights=part)
            here = rows @ flat.T.reshape(-1, height, width) @ columns
            scores = np.asarray(scores + here, np.float32)
        return scores

    def at(self, level: Level, on_grid: FloatArray) -> FloatArray:
        """Scores (K, h, w) of the objects, each against background, at a level.

        Args:
            level: one of the pyramid's.
            on_grid: what :meth:`on_grid` made.
        """
        rows, columns = self._onto[level]
        return np.asarray(rows @ on_grid @ columns, np.float32)


@cache
def _product() -> Compiled:
    """Features (n, C) float16 times weights (C, K): half the time of numpy, which is slow in
    halves."""
    graph = Graph({})
    product = graph.node("MatMul", graph.in_float32("features"), "weights")
    return graph.compiled({"features": np.float16, "weights": np.float32}, [product], rank=2)
