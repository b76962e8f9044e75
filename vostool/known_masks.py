"""Masks of some frames that are known already, as a round of scribbles.

By whatever tool they were made: each pixel of them is a stroke, but for a seam along the outlines,
which no two tools draw alike.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from vostool.coco import UNKNOWN, read_coco_masks
from vostool.errors import ScribbleError
from vostool.images import Mask, is_image, read_mask
from vostool.scribbles import PAINTED_BACKGROUND, Scribbles

SEAM = 2
"""Pixels to each side of an outline of which nothing is said: of wider seams, thin objects lose."""


def read_known_masks(source: str | Path) -> Scribbles:
    """Read masks of some frames: k is object k, 0 background, 255 unknown.

    Args:
        source: a folder of images named by frame, as ``00012.png``, where in masks of 0 and 255
            alone 255 is object 1; or a COCO file, see :func:`vostool.coco.read_coco_masks`.

    Raises:
        ScribbleError: there is no such folder or file, no mask is in it, or none has an object.
        ImageError: a mask is not a whole image of labels.
        UsageError: for COCO's files, pycocotools is not installed.
    """
    source = Path(source)
    masks = read_coco_masks(source) if source.is_file() else _read_folder(source)
    painted = {frame: _painted(mask) for frame, mask in masks.items()}
    scribbles = Scribbles.from_arrays(painted, str(source))
    if not scribbles.object_ids:
        raise ScribbleError(f"{source}: no object is in these masks; label it 1")
    return scribbles


def _read_folder(folder: Path) -> dict[int, Mask]:
    files = [file for file in folder.glob("*") if is_image(file) and file.stem.isdecimal()]
    if not files:
        raise ScribbleError(f"{folder}: no masks in this folder; name them by frame, as 00012.png")
    masks: dict[int, Mask] = {}
    for file in sorted(files):
        if int(file.stem) in masks:
            raise ScribbleError(
                f"{file}: frame {int(file.stem)} has another mask; keep one of them"
            )
        masks[int(file.stem)] = read_mask(file)
    if {*np.unique(np.concatenate([mask.ravel() for mask in masks.values()]))} == {0, UNKNOWN}:
        masks = {frame: (mask == UNKNOWN).astype(np.uint8) for frame, mask in masks.items()}
    return masks


def _painted(mask: Mask) -> npt.NDArray[np.uint8]:
    """As painted strokes: 0 is untouched, k object k, 255 background."""
    square = np.ones((2 * SEAM + 1, 2 * SEAM + 1), np.uint8)
    seam = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, square) > 0
    painted = np.where(mask == 0, PAINTED_BACKGROUND, mask).astype(np.uint8)
    painted[seam | (mask == UNKNOWN)] = 0
    for object_id in np.unique(mask[(mask > 0) & (mask < UNKNOWN)]):
        if not (painted == object_id).any():  # too thin to have an inside
            painted[mask == object_id] = object_id
    return painted
