"""Simulated strokes: how a person, or the benchmark's robot, would mark what is wrong.

The robot's skeletons take most of a second; training needs thousands. A stroke here runs along the
middle of a region: through the deepest point of each slice across its longest axis.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from vostool.scribbles import BACKGROUND, UNMARKED, StrokeMap

BoolArray = npt.NDArray[np.bool_]

SMALLEST = 12
"""Pixels of a region that is worth a stroke."""
SLICE = 8
"""Pixels of length a point of a stroke, up to MOST_SLICES points."""
MOST_SLICES = 9
PARTIAL = 0.3
"""The share of strokes that run along a part of their region alone."""
SHORTEST = 0.3
"""The shortest such part, of the region's length."""


def corrections(
    truth: BoolArray, predicted: BoolArray | None, rng: np.random.Generator
) -> StrokeMap:
    """Strokes of one object's frame: along what is missing, and along what is too much.

    Args:
        truth: (H, W) where the object is.
        predicted: where the last masks have it; None in the first round, when none are there yet.
        rng: decides the strokes' shapes.

    Returns:
        (H, W) as :class:`vostool.scribbles.Scribbles` draws them: 1, background, or unmarked.
    """
    predicted = np.zeros_like(truth) if predicted is None else predicted
    marks = np.full(truth.shape, UNMARKED, np.int16)
    marks[strokes_in(predicted & ~truth, rng)] = BACKGROUND
    marks[strokes_in(truth & ~predicted, rng)] = 1
    return marks


def strokes_in(region: BoolArray, rng: np.random.Generator) -> BoolArray:
    """(H, W) where strokes of one pixel's width mark the parts of a region."""
    drawn = np.zeros(region.shape, np.uint8)
    parts = _without_slivers(region.astype(np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(parts, connectivity=8)
    for label in range(1, count):
        x, y, width, height, area = boxes[label]
        if area >= SMALLEST:
            box = slice(y, y + height), slice(x, x + width)
            drawn[box] |= _stroke((labels[box] == label).astype(np.uint8), rng)
    return drawn > 0


def _without_slivers(region: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Opened as the robot does, by a disk that grows with the region; all of it if none is left."""
    radius = int(min(16, 0.075 * np.sqrt(region.sum())))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    opened = cv2.morphologyEx(region, cv2.MORPH_OPEN, disk)
    return np.asarray(opened if opened.any() else region, np.uint8)


def _stroke(part: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A line along one connected part, clipped to it."""
    padded = cv2.copyMakeBorder(part, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.nonzero(part)
    points = np.stack([x, y], axis=1).astype(np.float64)
    centred = points - points.mean(axis=0)
    along = centred @ np.linalg.eigh(centred.T @ centred)[1][:, 1]  # the longest axis
    low, high = np.quantile(along, [0.05, 0.95])
    begin, end = np.sort(rng.uniform(0, 1, 2))
    if rng.random() < PARTIAL and end - begin >= SHORTEST:
        low, high = low + begin * (high - low), low + end * (high - low)
    slices = int(np.clip((high - low) / SLICE + 1, 2, MOST_SLICES))
    edges = np.linspace(low, high, slices + 1)
    worth = depth[y, x] * rng.uniform(0.6, 1, len(x))
    path = []
    for first, last in pairwise(edges):
        here = np.flatnonzero((along >= first) & (along <= last))
        if len(here):
            path.append(points[here[np.argmax(worth[here])]])
    line = np.zeros_like(part)
    cv2.polylines(line, [np.array(path, np.int32).reshape(-1, 1, 2)], False, 1)
    return line & part
