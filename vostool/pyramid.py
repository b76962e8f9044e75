"""A frame's features at several strides, and how they relate to the clip's pixels.

Features are kept at the stride at which the network made them. That loses nothing: a linear
classifier and bilinear upsampling commute, up(F) @ W = up(F @ W), so scores are computed on the
small grids, and only they are brought up. It costs a fraction of the bytes of one fine grid.

What looks at single pixels, the classifier and the RNN, reads levels finer than stride 8 averaged
onto the grid of stride 8 (``grid``): a vertex of stride 4 sees too little of the frame to tell
objects apart, and its noise costs more than its detail brings.

The networks pad symmetrically, so the vertex (i, j) of a level of stride s is centred on the
network's pixel (s·i, s·j): every coarse vertex is also a vertex of each finer level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Item = TypeVar("Item")

FINEST_READ = 8
"""The stride onto which finer levels are averaged before single pixels of them are read."""


@dataclass(frozen=True)
class Level:
    """One grid of features.

    Attributes:
        name: what it is called in the store, such as ``s8``.
        stride: the network's pixels from one vertex to the next.
        shape: (h, w, C).
    """

    name: str
    stride: int
    shape: tuple[int, int, int]


@dataclass(frozen=True)
class Pyramid:
    """The geometry of one clip's features.

    Attributes:
        clip_size: (H, W) of the clip's frames.
        network_size: (H, W) at which the network saw them.
        levels: the grids, finest first; those of context, where it is read, come last.
        context_levels: how many of the levels are context.
    """

    clip_size: tuple[int, int]
    network_size: tuple[int, int]
    levels: tuple[Level, ...]
    context_levels: int = 0

    @property
    def channels(self) -> int:
        """How many features a pixel has, over all levels."""
        return sum(level.shape[2] for level in self.levels)

    @property
    def grid(self) -> Level:
        """The level on which pixels are read: the finest of stride 8 or more, if there is one."""
        by_stride = sorted(self.levels, key=lambda level: level.stride)
        return next((lv for lv in by_stride if lv.stride >= FINEST_READ), by_stride[-1])

    @property
    def backbone(self) -> Pyramid:
        """The backbone's levels alone."""
        return Pyramid(self.clip_size, self.network_size, tuple(self.of_backbone(self.levels)))

    def of_backbone(self, per_level: Sequence[Item]) -> Sequence[Item]:
        """Of things with one for each level, those of the backbone's levels."""
        return per_level[: len(self.levels) - self.context_levels]

    def with_context(self, context: Pyramid) -> Pyramid:
        """The backbone's levels and, after them, those of the same clip's context."""
        return Pyramid(
            self.clip_size,
            self.network_size,
            self.levels + context.levels,
            context_levels=len(context.levels),
        )

    def sample(
        self, features: list[npt.NDArray[np.float16]], xy: npt.NDArray[np.int_]
    ) -> FloatArray:
        """Features of single pixels, interpolated bilinearly at each level no finer than ``grid``.

        Args:
            features: one frame, an array (h, w, C) a level.
            xy: (n, 2) pixels of the clip, x and y.

        Returns:
            (n, channels) float32.
        """
        parts = []
        for level, (up, across), values in zip(self.levels, self.to_grid, features, strict=True):
            if level.stride < self.grid.stride:
                level = self.grid
                height, width, channels = values.shape
                averaged = up @ values.reshape(height, -1).astype(np.float32)
                values = across.T @ averaged.reshape(-1, width, channels)
            rows, row_weights = self._neighbours(level, 0, xy[:, 1])
            columns, column_weights = self._neighbours(level, 1, xy[:, 0])
            _, width, channels = values.shape
            vertices = values.reshape(-1, channels).astype(np.float32)
            part = np.zeros((len(xy), channels), np.float32)
            for row, row_weight in zip(rows, row_weights, strict=True):
                for column, column_weight in zip(columns, column_weights, strict=True):
                    corner = vertices.take(row * width + column, axis=0)
                    corner *= (row_weight * column_weight)[:, None]
                    part += corner
            parts.append(part)
        return np.concatenate(parts, axis=1)

    def split(self, weights: npt.NDArray[np.floating]) -> list[FloatArray]:
        """Cut a classifier (channels, K) into one a level."""
        ends = np.cumsum([level.shape[2] for level in self.levels])[:-1]
        return [np.ascontiguousarray(part, np.float32) for part in np.split(weights, ends)]

    def scores(
        self, features: list[npt.NDArray[np.float16]], weights: list[FloatArray]
    ) -> FloatArray:
        """A linear classifier's scores of one frame, at every pixel of the clip.

        Args:
            features: one frame, an array (h, w, C) a level.
            weights: the classifier as :meth:`split` cuts it.

        Returns:
            (K, H, W) float32.
        """
        on_grid: FloatArray = np.zeros(1, np.float32)
        for level, part, (rows, columns) in zip(features, weights, self.to_grid, strict=True):
            height, width, channels = level.shape
            flat = level.reshape(-1, channels).astype(np.float32) @ part
            maps = np.ascontiguousarray(flat.T).reshape(-1, height, width)
            on_grid = on_grid + rows @ maps @ columns
        rows, columns = self.grid_to_pixels
        return np.asarray(rows @ (on_grid @ columns), np.float32)

    @cached_property
    def to_grid(self) -> list[tuple[FloatArray, FloatArray]]:
        """For each level, the matrices that bring its rows and columns to ``grid``."""
        return self.onto(self.grid)

    @cached_property
    def grid_to_finest(self) -> tuple[FloatArray, FloatArray]:
        """The matrices that bring the rows and columns of ``grid`` to the finest level's."""
        return self.onto(self.levels[0])[self.levels.index(self.grid)]

    def onto(self, target: Level) -> list[tuple[FloatArray, FloatArray]]:
        """For each level, the matrices that bring its rows and columns to one level's.

        Coarser levels are interpolated, finer ones averaged round the target's vertices.

        Args:
            target: one of the levels.
        """
        return [
            (
                between(target.stride, target.shape[0], level.stride, level.shape[0]),
                between(target.stride, target.shape[1], level.stride, level.shape[1]).T.copy(),
            )
            for level in self.levels
        ]

    @cached_property
    def grid_to_pixels(self) -> tuple[FloatArray, FloatArray]:
        """The matrices that bring the rows and columns of ``grid`` to the clip's pixels."""
        return self._to_pixels(self.grid)

    @cached_property
    def finest_to_pixels(self) -> tuple[FloatArray, FloatArray]:
        """The matrices that bring the finest level's rows and columns to the clip's pixels."""
        return self._to_pixels(self.levels[0])

    def nearest(
        self, level: Level, xy: npt.NDArray[np.int_]
    ) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
        """The rows and columns of the vertices nearest to pixels of the clip.

        Args:
            level: whose vertices.
            xy: (n, 2), x and y.
        """
        rows, columns = (
            np.rint(self._positions(level, axis, xy[:, 1 - axis])).astype(np.int_)
            for axis in (0, 1)
        )
        height, width, _ = level.shape
        return np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)

    def _to_pixels(self, level: Level) -> tuple[FloatArray, FloatArray]:
        rows, columns = (
            _interpolation(self._positions(level, axis, np.arange(length)), level.shape[axis])
            for axis, length in enumerate(self.clip_size)
        )
        return rows, columns.T.copy()

    def _positions(
        self, level: Level, axis: int, pixels: npt.NDArray[np.int_]
    ) -> npt.NDArray[np.float64]:
        """Where the clip's pixels fall on a level, along one axis, in vertices."""
        scale = self.network_size[axis] / self.clip_size[axis]
        return ((pixels + 0.5) * scale - 0.5) / level.stride

    def _neighbours(
        self, level: Level, axis: int, pixels: npt.NDArray[np.int_]
    ) -> tuple[tuple[npt.NDArray[np.int_], ...], tuple[FloatArray, ...]]:
        return _bracket(self._positions(level, axis, pixels), level.shape[axis])


def between(to_stride: int, to_length: int, stride: int, length: int) -> FloatArray:
    """The matrix (to_length, length) that brings a row of vertices to another stride.

    Args:
        to_stride, to_length: of the row that is made.
        stride, length: of the row that is there.
    """
    positions = np.arange(to_length) * np.float64(to_stride / stride)
    if to_stride <= stride:
        return _interpolation(positions, length)
    near = np.abs(np.arange(length) - positions[:, None]) < to_stride / stride
    return np.asarray(near / near.sum(axis=1, keepdims=True), np.float32)


def _bracket(
    positions: npt.NDArray[np.float64], length: int
) -> tuple[tuple[npt.NDArray[np.int_], ...], tuple[FloatArray, ...]]:
    """The two vertices round each position and their weights; outside, the edge holds."""
    inside = np.clip(positions, 0, length - 1)
    low = np.floor(inside).astype(np.int_)
    high = np.minimum(low + 1, length - 1)
    share = (inside - low).astype(np.float32)
    return (low, high), (1 - share, share)


def _interpolation(positions: npt.NDArray[np.float64], length: int) -> FloatArray:
    """The matrix (n, length) that interpolates a row of ``length`` vertices at n positions."""
    (low, high), (low_weight, high_weight) = _bracket(positions, length)
    matrix = np.zeros((len(positions), length), np.float32)
    each = np.arange(len(positions))
    matrix[each, low] += low_weight
    matrix[each, high] += high_weight
    return matrix
