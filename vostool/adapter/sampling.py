"""Which pixels are samples (§2.3).

Positives are the pixels on an object's scribbles, negatives those on background scribbles and
pixels drawn at random in the annotated frame, outside the grown boxes of its scribbles and, from
the second round on, only where the last round predicted background. Of filled areas, a random
choice of the pixels stands for all.

A preset may leave corrections out that lie along the boundary of the last mask. After some rounds
the errors that are left are slivers a few pixels wide. A feature grid of 8 pixels a vertex cannot
tell their two sides apart, so that they teach the classifier that the object's edge is background.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vostool.presets import Preset
from vostool.scribbles import BACKGROUND, UNMARKED, StrokeMap

IntArray = npt.NDArray[np.int64]

BOX_GROWTH = 1.2
"""How much the scribbles' boxes grow before negatives are drawn outside them (§2.3)."""
MOST_A_CLASS = 20_000
"""Scribbled pixels of a class and round that are samples, at most: ten times what people draw. Of
areas filled with a brush, these are drawn at random; millions of them would not fit in memory."""
FURTHEST = 0.05
"""Where the boxes leave nothing outside, this share of the frame, furthest from any stroke."""


@dataclass(frozen=True)
class Samples:
    """Labelled pixels, row by row.

    Attributes:
        frame, x, y: (n,) where each lies in the clip.
        object_id: (n,) its label, 0 is background.
        round: (n,) the round of interaction that it came with, from 1.
    """

    frame: IntArray
    x: IntArray
    y: IntArray
    object_id: IntArray
    round: IntArray

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def xy(self) -> IntArray:
        """(n, 2), x and y."""
        return np.stack([self.x, self.y], axis=1)

    def counts(self) -> tuple[int, int]:
        """How many are positive and how many negative."""
        positive = int((self.object_id != BACKGROUND).sum())
        return positive, len(self) - positive

    def within(self, frame: int) -> Samples:
        """Those that lie in one frame."""
        return self.select(self.frame == frame)

    def stroke_map(self, frame: int, size: tuple[int, int]) -> StrokeMap:
        """(H, W) their labels in one frame, later rows over earlier ones; unmarked elsewhere."""
        here = self.within(frame)
        marks = np.full(size, UNMARKED, np.int16)
        marks[here.y, here.x] = here.object_id
        return marks

    def select(self, chosen: npt.NDArray[np.bool_] | IntArray) -> Samples:
        """Some of them: the rows that a mask or a list of indices chooses."""
        return Samples(*(column[chosen] for column in self.columns().values()))

    def columns(self) -> dict[str, IntArray]:
        """The columns by name, as they lie in an adapter file."""
        return {name: getattr(self, name) for name in ("frame", "x", "y", "object_id", "round")}

    @classmethod
    def empty(cls) -> Samples:
        """No samples."""
        return cls(*(np.zeros(0, np.int64) for _ in range(5)))

    @classmethod
    def concat(cls, parts: list[Samples]) -> Samples:
        """The samples of several sets, in order."""
        columns = [part.columns() for part in [cls.empty(), *parts]]
        return cls(**{name: np.concatenate([c[name] for c in columns]) for name in columns[0]})


def sample_round(
    stroke_maps: dict[int, StrokeMap],
    predicted: dict[int, npt.NDArray[np.uint8]],
    earlier: Samples,
    preset: Preset,
    seed: int,
    *,
    known: Collection[int] = (),
    scale: float = 1.0,
) -> Samples:
    """The samples that one round of scribbles adds.

    Args:
        stroke_maps: the annotated frames' strokes, by frame number.
        predicted: the last round's masks of those frames; empty in the first round.
        earlier: all samples of the rounds before, of this clip.
        preset: how to sample.
        seed: of the random choice; the same seed and input give the same samples.
        known: the objects that other clips have shown, beside this one's.
        scale: the clip's pixels to one of the network's.

    Returns:
        The round's samples: the scribbled pixels, at most :data:`MOST_A_CLASS` of a class, and
        random background to go with them.
    """
    number = int(earlier.round.max(initial=0)) + 1
    scribbled = scribbled_pixels(stroke_maps, number)
    slivers = _along_boundary(scribbled, predicted, preset.boundary_margin * scale)
    # The first strokes on an object are all there is to know of it, wherever they lie.
    known_ids = [*known, *np.unique(earlier.object_id)]
    scribbled = scribbled.select(~(slivers & np.isin(scribbled.object_id, known_ids)))
    scribbled = _capped(scribbled, np.random.default_rng((seed, number, MOST_A_CLASS)))
    positive, negative = (a + b for a, b in zip(earlier.counts(), scribbled.counts(), strict=True))
    wanted = max(0, positive - negative)
    drawn = _drawn(stroke_maps, predicted, wanted, number, np.random.default_rng((seed, number)))
    return Samples.concat([scribbled, drawn])


def grown_box(marked: npt.NDArray[np.bool_], growth: float) -> tuple[slice, slice]:
    """The tight box of the marked pixels, grown about its middle: rows and columns, clipped."""
    slices = []
    for axis, length in enumerate(marked.shape):
        along = np.flatnonzero(marked.any(axis=1 - axis))
        low, high = along[0], along[-1] + 1
        margin = (growth - 1) * (high - low) / 2
        slices.append(
            slice(max(0, int(np.floor(low - margin))), min(length, int(np.ceil(high + margin))))
        )
    return slices[0], slices[1]


def _drawn(
    stroke_maps: dict[int, StrokeMap],
    predicted: dict[int, npt.NDArray[np.uint8]],
    wanted: int,
    number: int,
    random: np.random.Generator,
) -> Samples:
    """Random background of the annotated frames, at most as many pixels as are wanted."""
    parts, begin = [], 0
    pools = {
        frame: np.flatnonzero(_drawable(marks, predicted.get(frame)))
        for frame, marks in sorted(stroke_maps.items())
    }
    chosen = random.permutation(sum(map(len, pools.values())))[:wanted]
    chosen.sort()
    for frame, pool in pools.items():
        here = chosen[(chosen >= begin) & (chosen < begin + len(pool))] - begin
        parts.append(_pixels(frame, pool[here], stroke_maps[frame].shape, BACKGROUND, number))
        begin += len(pool)
    return Samples.concat(parts)


def _drawable(marks: StrokeMap, predicted: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.bool_]:
    """Where random background may be drawn in one annotated frame."""
    outside = np.ones(marks.shape, np.bool_)
    for object_id in np.unique(marks[marks != UNMARKED]):
        outside[grown_box(marks == object_id, BOX_GROWTH)] = False
    if not outside.any():
        outside = _furthest_from(marks != UNMARKED)
    if predicted is not None:
        outside &= predicted == BACKGROUND
    return np.asarray(outside & (marks == UNMARKED))


def _capped(scribbled: Samples, random: np.random.Generator) -> Samples:
    """All samples of the classes that have few, and a random choice of those that have many."""
    kept = np.ones(len(scribbled), np.bool_)
    for object_id in np.unique(scribbled.object_id):
        here = np.flatnonzero(scribbled.object_id == object_id)
        if len(here) > MOST_A_CLASS:
            kept[random.permutation(here)[MOST_A_CLASS:]] = False
    return scribbled if kept.all() else scribbled.select(kept)


def _along_boundary(
    scribbled: Samples, predicted: dict[int, npt.NDArray[np.uint8]], margin: float
) -> npt.NDArray[np.bool_]:
    """Which scribbled pixels contradict the last mask, nearer than the margin to its boundary."""
    along = np.zeros(len(scribbled), np.bool_)
    if margin == 0:
        return along
    for frame, mask in predicted.items():
        here = np.flatnonzero(scribbled.frame == frame)
        x, y = scribbled.x[here], scribbled.y[here]
        contradicts = mask[y, x] != scribbled.object_id[here]
        here, x, y = here[contradicts], x[contradicts], y[contradicts]
        if len(here):
            # What lies beyond the margin has no say.
            left, top = (max(0, int(at.min() - margin) - 1) for at in (x, y))
            around = mask[top : int(y.max() + margin) + 2, left : int(x.max() + margin) + 2]
            along[here] = _depth(around)[y - top, x - left] < margin
    return along


def _depth(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """How far each pixel is from the nearest one of another label."""
    import cv2

    depth = np.zeros(mask.shape, np.float32)
    for label in np.unique(mask):
        alike = mask == label
        depth[alike] = cv2.distanceTransform(
            alike.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
        )[alike]
    return depth


def _furthest_from(marked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    import cv2

    distance = cv2.distanceTransform((~marked).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(distance >= np.quantile(distance, 1 - FURTHEST))


def scribbled_pixels(stroke_maps: dict[int, StrokeMap], number: int) -> Samples:
    """Every pixel that bears a stroke.

    Args:
        stroke_maps: the annotated frames' strokes, by frame number.
        number: the round.
    """
    parts = []
    for frame, marks in sorted(stroke_maps.items()):
        marked = np.flatnonzero(marks != UNMARKED)
        labels = marks.ravel()[marked]
        parts += [
            _pixels(frame, marked[labels == object_id], marks.shape, int(object_id), number)
            for object_id in np.unique(labels)
        ]
    return Samples.concat(parts)


def _pixels(
    frame: int, pixels: IntArray, size: tuple[int, ...], object_id: int, number: int
) -> Samples:
    """Pixels of a frame of a size (H, W), told by their places row by row, with one label."""
    y, x = np.divmod(pixels, size[1])
    count = len(pixels)
    return Samples(np.full(count, frame), x, y, np.full(count, object_id), np.full(count, number))
