"""J and F, the two measures of a mask on DAVIS.

J is how much of the region is right, F how much of its outline. Both are defined in Perazzi et
al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016,
section 5. The numbers are those of davisinteractive's `batched_jaccard` and `batched_f_measure`;
the time is a fraction of theirs, since each object is looked at only inside its bounding box, in
bytes, and several frames at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

LabelMaps: TypeAlias = NDArray[np.uint8]
"""(T, H, W): the object id of every pixel of T frames; 0 is the background."""

BinaryMask: TypeAlias = NDArray[np.uint8]
"""(H, W): 1 inside, 0 outside."""

Scores: TypeAlias = NDArray[np.float64]
"""(T, K): a score from 0 to 1 for each frame and each of K object ids."""


def jaccard(truth: LabelMaps, predicted: LabelMaps, object_ids: Sequence[int]) -> Scores:
    """J, region similarity: the intersection of two masks over their union.

    Args:
        truth: (T, H, W) label maps of the annotation.
        predicted: (T, H, W) label maps to judge.
        object_ids: the K ids to score, in the order of the answer's columns.

    Returns:
        (T, K) scores. An object absent from both maps of a frame scores 1 there.
    """
    return _score_frames(_region_similarity, truth, predicted, object_ids)


def f_measure(
    truth: LabelMaps,
    predicted: LabelMaps,
    object_ids: Sequence[int],
    bound_th: float = 0.008,
) -> Scores:
    """F, contour accuracy: the F-measure of the two outlines' precision and recall.

    A boundary pixel counts as matched if the other outline passes within a tolerance of it.

    Args:
        truth: (T, H, W) label maps of the annotation.
        predicted: (T, H, W) label maps to judge.
        object_ids: the K ids to score, in the order of the answer's columns.
        bound_th: the tolerance: a fraction of the frame's diagonal if below 1, else pixels.

    Returns:
        (T, K) scores. Where neither mask has an outline the score is 1, where only one has, 0. A
        mask that fills the frame has no outline.
    """
    height, width = truth.shape[-2:]
    disk = _disk(_tolerance(bound_th, height, width))

    def contour_accuracy(true_mask: BinaryMask, predicted_mask: BinaryMask) -> float:
        return _contour_accuracy(true_mask, predicted_mask, disk)

    return _score_frames(contour_accuracy, truth, predicted, object_ids)


def boundary(mask: BinaryMask) -> BinaryMask:
    """The outline of a mask, one pixel wide.

    A pixel is on it if its right, lower, or lower right neighbour is on the other side of the
    outline; the frame's edge itself is no outline.

    Args:
        mask: (H, W), 1 inside and 0 outside.

    Returns:
        (H, W), 1 on the outline and 0 elsewhere.
    """
    square = np.ones((2, 2), np.uint8)
    outline = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, square, anchor=(0, 0))
    return np.asarray(outline, np.uint8)


def _score_frames(
    score: Callable[[BinaryMask, BinaryMask], float],
    truth: LabelMaps,
    predicted: LabelMaps,
    object_ids: Sequence[int],
) -> Scores:
    """Score every object of every frame, with as many frames at a time as there are cores."""
    if truth.ndim != 3 or truth.shape != predicted.shape:
        raise ValueError(
            f"the label maps should both be (T, H, W), not {truth.shape} and {predicted.shape}"
        )

    def score_frame(true_labels: LabelMaps, predicted_labels: LabelMaps) -> list[float]:
        return [
            score(_mask_of(true_labels, object_id), _mask_of(predicted_labels, object_id))
            for object_id in object_ids
        ]

    # OpenCV and numpy let go of the interpreter while they work, so threads do run side by side.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        scores = list(pool.map(score_frame, truth, predicted))
    return np.array(scores, np.float64).reshape(len(truth), len(object_ids))


def _mask_of(labels: LabelMaps, object_id: int) -> BinaryMask:
    return np.asarray(labels == object_id).view(np.uint8)


def _region_similarity(true_mask: BinaryMask, predicted_mask: BinaryMask) -> float:
    union = cv2.countNonZero(true_mask | predicted_mask)
    return cv2.countNonZero(true_mask & predicted_mask) / union if union else 1.0


def _contour_accuracy(true_mask: BinaryMask, predicted_mask: BinaryMask, disk: BinaryMask) -> float:
    box = _outlines_box(true_mask | predicted_mask)
    true_outline = boundary(np.ascontiguousarray(true_mask[box]))
    predicted_outline = boundary(np.ascontiguousarray(predicted_mask[box]))
    true_length = cv2.countNonZero(true_outline)
    predicted_length = cv2.countNonZero(predicted_outline)
    if not true_length and not predicted_length:
        return 1.0
    if not true_length or not predicted_length:
        return 0.0
    precision = _matched(predicted_outline, true_outline, disk) / predicted_length
    recall = _matched(true_outline, predicted_outline, disk) / true_length
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def _outlines_box(mask: BinaryMask) -> tuple[slice, slice]:
    """The rows and columns that hold the outlines of all parts of a mask, and what shapes them."""
    left, top, width, height = cv2.boundingRect(mask)
    rows = slice(max(top - 1, 0), top + height + 1)
    columns = slice(max(left - 1, 0), left + width + 1)
    return rows, columns


def _matched(outline: BinaryMask, other: BinaryMask, disk: BinaryMask) -> int:
    """The number of an outline's pixels that have one of the other outline within the disk."""
    return cv2.countNonZero(cv2.bitwise_and(outline, cv2.dilate(other, disk)))


def _tolerance(bound_th: float, height: int, width: int) -> float:
    """How far apart, in pixels, two boundary pixels may lie and match."""
    return bound_th if bound_th >= 1 else float(np.ceil(bound_th * np.linalg.norm((height, width))))


def _disk(radius: float) -> BinaryMask:
    """(2r + 1, 2r + 1): 1 at the offsets no longer than the radius, which may be a fraction."""
    offsets = np.arange(-radius, radius + 1)
    squares = offsets**2
    return (squares[:, None] + squares[None, :] <= radius**2).view(np.uint8)
