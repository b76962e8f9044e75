"""Where strokes would teach most: frames whose vertices the classifier can tell least about.

A score is linear in the features x, so how far it is determined by the samples is known in closed
form: with L the Cholesky factor of X Xᵀ + λ I (Eq. 3), the variance of a vertex's score is
‖L⁻¹x‖² times that of the labels. It depends on where samples are, not on what they were called. So
it is weighed by how close the two best scores are, next to the objects. When a frame is chosen, the
vertices that a person would draw on there are added to X, as if they had been: the next choice is
where those do not help.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vostool.adapter.ridge import DoubleArray

FloatArray = npt.NDArray[np.float32]

ROWS, COLUMNS = 14, 24
"""Of the grid of vertices that stands for a frame."""
NEAR = 2
"""Steps of that grid that the neighbourhood of an object reaches."""
STROKE = 20
"""Vertices that the strokes on a frame touch, of this grid's: a frame is worth what they are."""


@dataclass(frozen=True)
class Suggestion:
    """A frame to draw on.

    Attributes:
        frame: its number.
        worth: the doubt that strokes there would meet, by which frames compare within one adapter.
        clip: the clip's name.
    """

    frame: int
    worth: float
    clip: str = ""


@dataclass(frozen=True)
class Sight:
    """A frame's vertices, as far as suggestions look.

    Attributes:
        frame: its number.
        features: (ROWS * COLUMNS, C), row by row.
    """

    frame: int
    features: FloatArray


def grid(size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """The pixels (ROWS * COLUMNS, 2), x and y, of the vertices that stand for a frame.

    Args:
        size: (H, W) of the clip.
    """
    height, width = size
    y = ((np.arange(ROWS) + 0.5) * height / ROWS).astype(np.int64)
    x = ((np.arange(COLUMNS) + 0.5) * width / COLUMNS).astype(np.int64)
    return np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1).reshape(-1, 2)


def suggest(
    sights: Sequence[Sight], W: DoubleArray, gram: DoubleArray, ridge: float, count: int
) -> list[Suggestion]:
    """The frames to draw on, the best first.

    Args:
        sights: the frames to choose from.
        W: (C, K + 1) of Eq. 3, background first.
        gram: (C, C) X Xᵀ of the samples.
        ridge: λ.
        count: how many, at most.
    """
    weights = [_weights(sight.features @ W) for sight in sights]
    left, chosen = dict(enumerate(sights)), list[Suggestion]()
    while left and len(chosen) < count:
        inverse = _inverse_factor(gram, ridge)
        doubts = {n: weights[n] * variance(sight.features, inverse) for n, sight in left.items()}
        worths = {n: float(np.sort(doubt)[-STROKE:].mean()) for n, doubt in doubts.items()}
        best = max(worths, key=lambda n: worths[n])
        chosen.append(Suggestion(left[best].frame, worths[best]))
        drawn = left.pop(best).features[np.argsort(doubts[best])[-STROKE:]].astype(np.float64)
        gram = gram + drawn.T @ drawn
    return chosen


def variance(features: npt.NDArray[np.floating], inverse_factor: DoubleArray) -> DoubleArray:
    """(n,) of the scores of some vertices, in the labels' own.

    Args:
        features: (n, C).
        inverse_factor: (C, C) L⁻¹.
    """
    return np.asarray(np.square(features @ inverse_factor.T).sum(axis=1))


def _inverse_factor(gram: DoubleArray, ridge: float) -> DoubleArray:
    regularised = gram + ridge * np.eye(len(gram))
    return np.asarray(np.linalg.inv(np.linalg.cholesky(regularised)))


def _weights(scores: npt.NDArray[np.floating]) -> DoubleArray:
    """(n,) in 0..1: how close a vertex's two best scores are, near objects; 0 elsewhere.

    Args:
        scores: (n, K + 1), background first, regressed onto 0 and 1.
    """
    best_two = np.sort(scores, axis=1)[:, -2:]
    close: DoubleArray = np.clip(1 - (best_two[:, 1] - best_two[:, 0]), 0, 1)
    objects = (scores.argmax(axis=1) > 0).reshape(ROWS, COLUMNS)
    if not objects.any():  # where it is missed, it may be anywhere
        return close
    near = np.zeros_like(objects)
    for row, column in np.argwhere(objects):
        rows = slice(max(0, row - NEAR), row + NEAR + 1)
        near[rows, max(0, column - NEAR) : column + NEAR + 1] = True
    return np.where(near.ravel(), close, 0)
