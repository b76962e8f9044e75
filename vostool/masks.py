"""Label masks: the DAVIS palette, the best score of each pixel, overlays to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from vostool.images import Alpha, Doubt, Frame, Mask, ObjectMasks, Probabilities

NO_DOUBT = 0.05
"""A pixel of background that is an object with a smaller probability adds nothing to the doubt:
there are so many of them."""

__all__ = [
    "Mask", "alpha_of", "argmax_mask", "confidence", "davis_palette", "doubt_of",
    "object_masks", "overlay", "own_masks", "probabilities_of",
]  # fmt: skip


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


def doubt_of(probabilities: Probabilities) -> Doubt:
    """How probable it is that each pixel (H, W) is what is second to its label, and not that.

    Args:
        probabilities: (K + 1, H, W), background first.
    """
    best, second = probabilities[0].copy(), np.zeros_like(probabilities[0])
    for one in probabilities[1:]:
        np.maximum(second, np.minimum(best, one), out=second)
        np.maximum(best, one, out=best)
    return np.asarray(second / (best + second), np.float32)


def confidence(scores: npt.NDArray[np.float32]) -> float:
    """How sure the mask of some scores is, in 0..1.

    It is the overlap (J, of all objects together) that is to be expected of the mask with the
    truth, if each pixel's label is as doubtful as :func:`doubt_of` says. A frame that surely shows
    nothing has 1. Wrong scores can be sure of themselves: it finds frames that are in doubt, not
    all that are bad.

    Args:
        scores: (K, H, W), an object each, against background's 0; logits.
    """
    doubt, inside = doubt_of(probabilities_of(scores)), (scores > 0).any(axis=0)
    missed = np.maximum(0, doubt[~inside] - NO_DOUBT).sum()
    union = inside.sum() + missed
    return float((1 - doubt[inside]).sum() / union) if union >= 1 else 1.0


def object_masks(mask: Mask, object_ids: Sequence[int]) -> ObjectMasks:
    """Where each of some objects is, (K, H, W), by a mask (H, W)."""
    inside = mask == np.array(object_ids, np.uint8)[:, None, None]
    return np.asarray(inside, np.uint8)


def probabilities_of(scores: npt.NDArray[np.float32]) -> Probabilities:
    """Probabilities (K + 1, H, W) by logits (K, H, W) of objects against background's 0."""
    logits = np.concatenate([np.zeros((1, *scores.shape[1:]), np.float32), scores])
    odds = np.exp(logits - logits.max(axis=0))
    return np.asarray(odds / odds.sum(axis=0), np.float32)


def own_masks(probabilities: Probabilities) -> ObjectMasks:
    """Each object's own mask, (K, H, W): where it and no background is likelier than not.

    Between background and itself alone, the object has a probability over a half: what other
    objects claim is not looked at, so that masks overlap where objects are in dispute.
    """
    return (probabilities[1:] > probabilities[:1]).astype(np.uint8)


def alpha_of(probabilities: Probabilities) -> Alpha:
    """The probability of each pixel (H, W) that it is of some object, in 255ths."""
    return np.asarray(np.rint(255 * (1 - probabilities[0])), np.uint8)
