"""Simulated strokes: how a person, or the benchmark's robot, would mark what is wrong.

The robot's skeletons take most of a second; training needs thousands. Its strokes are made here as
lines along the middle of a region: through the deepest point of each slice across its longest axis.
People go to and fro across what they mark, quicker than exactly, and slip over its edge.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from vostool.scribbles import BACKGROUND, UNMARKED, StrokeMap

BoolArray = npt.NDArray[np.bool_]
ByteArray = npt.NDArray[np.uint8]

SMALLEST = 12
"""Pixels of a region that is worth a stroke."""
SLICE = 8
"""Pixels of length a point of a stroke, up to MOST_SLICES points."""
MOST_SLICES = 9
PARTIAL = 0.3
"""The share of strokes that run along a part of their region alone."""
SHORTEST = 0.3
"""The shortest such part, of the region's length."""
ZIGZAG = 0.8
"""How far a person's stroke swings to each side, of the way to the edge, on average."""
SLIP = 0.15
"""The deviation of that from one swing to the next."""


def corrections(
    truth: ByteArray, predicted: ByteArray | None, rng: np.random.Generator
) -> StrokeMap:
    """Strokes of one frame: along what each object, and background, lacks in the last masks.

    Args:
        truth: (H, W) the id of each pixel's object, 0 for background.
        predicted: the last masks; None in the first round, when there are none yet.
        rng: decides who draws, and the strokes' shapes.

    Returns:
        (H, W) as :class:`vostool.scribbles.Scribbles` draws them: an id, background, or unmarked.
    """
    stroke = zigzag if rng.random() < 0.5 else midline
    before = np.full_like(truth, BACKGROUND) if predicted is None else predicted
    marks = np.full(truth.shape, UNMARKED, np.int16)
    for label in np.unique(truth):
        marks[strokes_in((truth == label) & (before != label), stroke, rng)] = label
    return marks


def strokes_in(
    region: BoolArray,
    stroke: Callable[[ByteArray, np.random.Generator], ByteArray],
    rng: np.random.Generator,
) -> BoolArray:
    """(H, W) where strokes of one pixel's width mark the parts of a region.

    Args:
        region: (H, W).
        stroke: draws one in a connected part (h, w): :func:`midline` or :func:`zigzag`.
        rng: decides the strokes' shapes.
    """
    drawn = np.zeros(region.shape, np.uint8)
    parts = _without_slivers(region.astype(np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(parts, connectivity=8)
    for label in range(1, count):
        x, y, width, height, area = boxes[label]
        if area >= SMALLEST:
            box = slice(y, y + height), slice(x, x + width)
            drawn[box] |= stroke((labels[box] == label).astype(np.uint8), rng)
    return drawn > 0


def midline(part: ByteArray, rng: np.random.Generator) -> ByteArray:
    """A line along the middle of one connected part, clipped to it, as the robot's is."""
    padded = cv2.copyMakeBorder(part, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    path = []
    for points, _ in _slices(part, rng):
        worth = depth[points[:, 1], points[:, 0]] * rng.uniform(0.6, 1, len(points))
        path.append(points[np.argmax(worth)])
    return _line(part, path) & part


def zigzag(part: ByteArray, rng: np.random.Generator) -> ByteArray:
    """A line to and fro across one connected part, over its edge here and there."""
    path, side = [], rng.choice([-1.0, 1.0])
    for points, across in _slices(part, rng):
        middle, half = points.mean(axis=0), np.ptp(points @ across) / 2
        path.append(middle + side * rng.normal(ZIGZAG, SLIP) * half * across)
        side = -side
    return _line(part, path)


def _slices(
    part: ByteArray, rng: np.random.Generator
) -> list[tuple[npt.NDArray[np.int_], npt.NDArray[np.float64]]]:
    """Pixels (n, 2), x and y, of slices along a part's longest axis, and the axis across (2,)."""
    y, x = np.nonzero(part)
    points = np.stack([x, y], axis=1)
    centred = points - points.mean(axis=0)
    across, longest = np.linalg.eigh(centred.T @ centred)[1].T
    along = centred @ longest
    low, high = np.quantile(along, [0.05, 0.95])
    begin, end = np.sort(rng.uniform(0, 1, 2))
    if rng.random() < PARTIAL and end - begin >= SHORTEST:
        low, high = low + begin * (high - low), low + end * (high - low)
    count = int(np.clip((high - low) / SLICE + 1, 2, MOST_SLICES))
    slices = []
    for first, last in pairwise(np.linspace(low, high, count + 1)):
        here = (along >= first) & (along <= last)
        if here.any():
            slices.append((points[here], across))
    return slices


def _line(part: ByteArray, path: list[npt.NDArray[np.float64]]) -> ByteArray:
    line = np.zeros_like(part)
    cv2.polylines(line, [np.rint(path).astype(np.int32).reshape(-1, 1, 2)], False, 1)
    return line


def _without_slivers(region: ByteArray) -> ByteArray:
    """Opened as the robot does, by a disk that grows with the region; all of it if none is left."""
    radius = int(min(16, 0.075 * np.sqrt(region.sum())))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    opened = cv2.morphologyEx(region, cv2.MORPH_OPEN, disk)
    return np.asarray(opened if opened.any() else region, np.uint8)
