"""Cleaning of masks: holes, specks, parts astray, flicker. All of it is off unless asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import cv2
import numpy as np
import numpy.typing as npt

from vostool.errors import UsageError
from vostool.images import Mask

SPECK = 0.02
"""Of an object's pixels in a frame: a part with fewer is a speck."""


@dataclass(frozen=True)
class Cleaning:
    """What is done to masks, in the order: smooth, drop, fill.

    Attributes:
        fill_holes: background that an object encloses becomes the object's.
        drop_specks: parts of fewer than :data:`SPECK` of an object's pixels become background.
        largest: so does all of an object but its largest part.
        smooth: of so many frames round each, an odd number, a pixel takes the label that it has in
            most of them, and keeps its own where there is none; 1 for as it is.

    Raises:
        UsageError: ``smooth`` is even.
    """

    fill_holes: bool = False
    drop_specks: bool = False
    largest: bool = False
    smooth: int = 1

    def __post_init__(self) -> None:
        if self.smooth < 1 or self.smooth % 2 == 0:
            raise UsageError(
                f"--smooth {self.smooth}: give an odd number of frames, as many before as after"
            )

    def __bool__(self) -> bool:
        return self != Cleaning()

    def clean(self, masks: Iterable[Mask]) -> Iterator[Mask]:
        """The masks (H, W) of successive frames, cleaned; as many frames as ``smooth`` are held."""
        for mask in _smoothed(masks, self.smooth) if self.smooth > 1 else masks:
            cleaned = mask.copy()
            if self.drop_specks or self.largest:
                for object_id in objects_in(mask):
                    cleaned[parts_to_drop(mask == object_id, self.largest)] = 0
            if self.fill_holes:
                for object_id in objects_in(cleaned):
                    cleaned[(cleaned == 0) & enclosed(cleaned == object_id)] = object_id
            yield cleaned


def objects_in(mask: Mask) -> list[int]:
    """The objects that a mask (H, W) has."""
    return [label for label in np.unique(mask).tolist() if label]


def parts_to_drop(region: npt.NDArray[np.bool_], largest: bool) -> npt.NDArray[np.bool_]:
    """Which pixels (H, W) of a region are of its specks; or of all its parts but the largest."""
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8))
    areas = statistics[:, cv2.CC_STAT_AREA]
    areas[0] = 0  # what is not of the region
    kept = np.arange(len(areas)) == areas.argmax() if largest else areas >= SPECK * areas.sum()
    return np.asarray(region & ~kept[parts])


def enclosed(region: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which pixels (H, W) outside of a region no way leads to from the frame's edge."""
    around = np.pad(region.astype(np.uint8), 1)
    cv2.floodFill(around, None, (0, 0), (1,))  # (4,) connected: no way between two at a corner
    return np.asarray(around[1:-1, 1:-1] == 0)


def _smoothed(masks: Iterable[Mask], frames: int) -> Iterator[Mask]:
    """Each pixel's label in most of the frames round each; the first and last count on beyond."""
    reach = frames // 2
    window: deque[Mask] = deque(maxlen=frames)
    for mask in masks:
        window.extend(repeat(mask, 1 if window else reach + 1))
        if len(window) == frames:
            yield _majority(window)
    for mask in repeat(window[-1], reach) if window else ():
        window.append(mask)
        if len(window) == frames:
            yield _majority(window)


def _majority(window: deque[Mask]) -> Mask:
    """The label of each pixel in more than half of an odd number of frames, or the middle's."""
    every = np.stack(window)
    voted: Mask = every[len(window) // 2].copy()
    for label in np.unique(every):
        voted[np.count_nonzero(every == label, axis=0) > len(window) // 2] = label
    return voted
