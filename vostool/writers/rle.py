"""Masks as COCO's run lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from vostool.coco import library
from vostool.images import Mask
from vostool.writers import object_name


def run_lengths(mask: Mask) -> dict[str, Any] | None:
    """An object's mask as COCO's JSON has it, with its area and its box; None where it is empty.

    Args:
        mask: (H, W) of 0 and 1.

    Returns:
        ``segmentation`` (``size`` and compressed ``counts``), ``area`` in pixels, and ``bbox``:
        left, top, width and height.

    Raises:
        UsageError: pycocotools is not installed.
    """
    coco = library()
    if not mask.any():
        return None
    runs = coco.encode(np.asfortranarray(mask))
    box = [float(side) for side in coco.toBbox(runs)]
    segmentation = {"size": list(runs["size"]), "counts": runs["counts"].decode("ascii")}
    return {"segmentation": segmentation, "area": int(coco.area(runs)), "bbox": box}


def categories(object_ids: tuple[int, ...]) -> list[dict[str, Any]]:
    """A category an object, for vostool knows of no others."""
    return [{"id": number, "name": object_name(number)} for number in object_ids]
