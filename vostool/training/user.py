"""A made-up user: marks objects of a shot, and corrects masks of it.

All of it is arrays, so that other processes do it while a network learns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vostool.adapter.sampling import Samples, sample_round, scribbled_pixels
from vostool.presets import PRESETS
from vostool.scribbles import BACKGROUND
from vostool.training.data import Shot
from vostool.training.strokes import corrections

ByteArray = npt.NDArray[np.uint8]

SMALLEST_OBJECT = 60
"""Pixels of an object that a user would mark."""
BYSTANDERS = 0.5
"""The share of shots of several objects in which some are not asked for. They are background, like
an object as they are, until a stroke says so; and then it must be believed."""
MOST_OBJECTS = 5
"""Of a shot that are asked for."""


@dataclass(frozen=True)
class Marks:
    """What a round of strokes on one frame gives.

    Attributes:
        frame: the frame.
        samples: the labelled pixels that the classifier is fitted to.
        strokes: every pixel that bears a stroke.
    """

    frame: int
    samples: Samples
    strokes: Samples


@dataclass(frozen=True)
class MarkedShot:
    """A shot with its first strokes.

    Attributes:
        shot: its frames; the objects that are asked for are labelled 1 to K, all else 0.
        first: the first round's marks.
    """

    shot: Shot
    first: Marks


def mark(shot: Shot, rng: np.random.Generator) -> MarkedShot | None:
    """Mark the objects that are to be seen in one of a shot's frames.

    Args:
        shot: the frames, with every object labelled.
        rng: decides the frame, the objects, the strokes and the random background.

    Returns:
        None where no object is anywhere large enough to be marked, or nothing can be told apart.
    """
    sizes = np.stack([np.bincount(mask.ravel(), minlength=256)[1:] for mask in shot.masks])
    visible = sizes >= SMALLEST_OBJECT  # (T, labels)
    if not visible.any():
        return None
    frame = int(rng.choice(np.flatnonzero(visible.sum(axis=1) == visible.sum(axis=1).max())))
    asked = np.flatnonzero(visible[frame]) + 1
    if len(asked) > 1 and rng.random() < BYSTANDERS:
        asked = rng.choice(asked, int(rng.integers(1, len(asked))), replace=False)
    if len(asked) > MOST_OBJECTS:
        asked = rng.choice(asked, MOST_OBJECTS, replace=False)
    asked = np.sort(asked)
    truth = _numbered(shot.masks, asked)
    first = correct(truth[frame], None, frame, Samples.empty(), rng)
    marked = np.unique(first.samples.object_id)
    if len(marked) < 2 or marked[0] != BACKGROUND:  # nothing to tell apart
        return None
    if len(marked) < len(asked) + 1:  # an object that no stroke found room in
        truth = _numbered(truth, marked[1:])
        first = Marks(frame, _renumbered(first.samples, marked), _renumbered(first.strokes, marked))
    return MarkedShot(Shot(shot.images, truth), first)


def correct(
    truth: ByteArray,
    predicted: ByteArray | None,
    frame: int,
    earlier: Samples,
    rng: np.random.Generator,
) -> Marks:
    """Correct the mask of one frame.

    Args:
        truth: (H, W), each pixel's object.
        predicted: (H, W), as it is masked; None in the first round, when there is no mask yet.
        frame: its number.
        earlier: the samples of the rounds before.
        rng: decides the strokes and the random background.
    """
    marks = corrections(truth, predicted, rng)
    samples = sample_round(
        {frame: marks},
        {} if predicted is None else {frame: predicted},
        earlier,
        PRESETS["default"],
        int(rng.integers(1 << 30)),
    )
    number = int(earlier.round.max(initial=0)) + 1
    return Marks(frame, samples, scribbled_pixels({frame: marks}, number))


def _numbered(masks: ByteArray, labels: npt.NDArray[np.int64]) -> ByteArray:
    """Some labels as 1, 2 and so on, in their order; all else is 0."""
    numbers = np.zeros(256, np.uint8)
    numbers[labels] = np.arange(1, len(labels) + 1)
    return numbers[masks]


def _renumbered(samples: Samples, labels: npt.NDArray[np.int64]) -> Samples:
    return replace(samples, object_id=np.searchsorted(labels, samples.object_id))
