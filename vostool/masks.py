"""Label masks: the DAVIS palette, the best score of each pixel, overlays to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from vostool.images import Frame, Mask

NO_DOUBT = 0.05
"""A pixel of background that is an object with a smaller probability adds nothing to the doubt:
there are so many of them."""

__all__ = ["Mask", "argmax_mask", "confidence", "davis_palette", "overlay"]


def davis_palette() -> npt.NDArray[np.uint8]:
    """The palette of DAVIS (and PASCAL VOC): (256, 3) uint8, RGB.

    The bits of the index, three at a time, become the high bits of red, green and blue.
    """
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(
                np.uint8
            )
    return palette


def overlay(frame: Frame, mask: Mask, opacity: float = 0.5) -> Frame:
    """Lay the objects' colours over a frame, with an outline round each object.

    Args:
        frame: (H, W, 3).
        mask: (H, W).
        opacity: of the colours, in 0..1.
    """
    inside = mask > 0
    shown = frame.astype(np.float32)
    colours = davis_palette()[mask].astype(np.float32)
    shown[inside] = (1 - opacity) * shown[inside] + opacity * colours[inside]
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    shown[edge] = 255
    return shown.astype(np.uint8)


def argmax_mask(scores: npt.NDArray[np.float32], object_ids: Sequence[int]) -> Mask:
    """The mask (H, W) of scores (K, H, W) against background's 0.

    Args:
        scores: an object each.
        object_ids: the objects.
    """
    mask = np.zeros(scores.shape[1:], np.uint8)
    best = np.zeros(scores.shape[1:], np.float32)
    for object_id, score in zip(object_ids, scores, strict=True):
        mask[score > best] = object_id
        np.maximum(best, score, out=best)
    return mask


def confidence(scores: npt.NDArray[np.float32]) -> float:
    """How sure the mask of some scores is, in 0..1.

    It is the overlap (J, of all objects together) that is to be expected of the mask with the
    truth, if each pixel is what it is called with the probability that its two best scores give. A
    frame that surely shows nothing has 1. Wrong scores can be sure of themselves: it finds frames
    that are in doubt, not all that are bad.

    Args:
        scores: (K, H, W), an object each, against background's 0; logits.
    """
    best = np.zeros(scores.shape[1:], np.float32)  # background's
    second = np.full(scores.shape[1:], -np.inf, np.float32)
    for score in scores:
        np.maximum(second, np.minimum(best, score), out=second)
        np.maximum(best, score, out=best)
    sure = 1 / (1 + np.exp(second - best))
    inside = best > 0
    missed = np.maximum(0, 1 - sure[~inside] - NO_DOUBT).sum()
    union = inside.sum() + missed
    return float(sure[inside].sum() / union) if union >= 1 else 1.0
