"""The region of an object: the part of a frame that the network looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vostool.mask_propagation.network import NetworkInput
from vostool.pyramid import Pyramid

MARGIN = 0.5
"""How far a region reaches beyond the object, to each side, in its heights and widths."""
SMALLEST = 6
"""Vertices of the coarsest stride that it has at least, to each side."""


@dataclass(frozen=True)
class ROI:
    """A part of a pyramid, in vertices of its coarsest stride.

    Attributes:
        top, left: the first.
        height, width: how many; at least two.
    """

    top: int
    left: int
    height: int
    width: int

    def cut(self, level: Tensor, pyramid: Pyramid, n: int = 0) -> Tensor:
        """The part of one level.

        Args:
            level: (…, h, w).
            pyramid: the geometry of the whole frame.
            n: which level it is, the finest being 0.
        """
        whole, steps = pyramid.levels[-1].shape, len(pyramid.levels) - 1 - n
        rows = _along(self.top, self.height, whole[0], level.shape[-2], steps)
        columns = _along(self.left, self.width, whole[1], level.shape[-1], steps)
        return level[..., rows, columns]

    def network_input(
        self,
        pyramid: Pyramid,
        features: Sequence[Tensor],
        classifier: Tensor,
        mask: Tensor,
        marks: Tensor,
        dtype: torch.dtype = torch.float32,
    ) -> NetworkInput:
        """What the network is shown of one object of a frame, in this part.

        Args:
            pyramid: the geometry of the whole frame.
            features: the backbone's, (C, h, w) a level, finest first.
            classifier, mask: (h, w) at the finest stride.
            marks: (2, h, w).
            dtype: what the network computes in.
        """

        def cut(level: Tensor, n: int = 0) -> Tensor:
            part = self.cut(level, pyramid, n)[None].to(dtype)
            return part.contiguous(memory_format=torch.channels_last)

        return NetworkInput(
            [cut(level, n) for n, level in enumerate(features)],
            cut(classifier[None]),
            cut(mask[None]),
            cut(marks),
        )

    def as_large_as(self, other: ROI, pyramid: Pyramid) -> ROI:
        """A roi of another's size about this one's middle, within the frame."""
        height, width, whole = other.height, other.width, pyramid.levels[-1].shape
        top = self.top + (self.height - height) // 2
        left = self.left + (self.width - width) // 2
        return ROI(
            max(0, min(top, whole[0] - height)), max(0, min(left, whole[1] - width)), height, width
        )


def roi_around(mask: Tensor, pyramid: Pyramid) -> ROI | None:
    """Where an object is looked for.

    Args:
        mask: (h, w) at the finest stride, where it may be.
        pyramid: the geometry of the backbone's features.

    Returns:
        A roi whose sides are even, or a whole frame's, so that few sizes occur; None where the
        mask is empty.
    """
    if not mask.any():
        return None
    coarsest = pyramid.levels[-1]
    ratio = coarsest.stride // pyramid.levels[0].stride
    sides = []
    for axis in (0, 1):
        along = mask.any(dim=1 - axis).nonzero()[:, 0]
        low, high = float(along[0]) / ratio, float(along[-1]) / ratio
        reach = MARGIN * (high - low) + 1
        whole = coarsest.shape[axis]
        first, last = max(0, int(low - reach)), min(whole - 1, int(high + reach) + 1)
        count = max(SMALLEST, last - first + 1)
        count = min(whole, count + count % 2)
        first = max(0, min(first, whole - count))
        sides.append((first, count))
    (top, height), (left, width) = sides
    return ROI(top, left, height, width)


def _along(first: int, count: int, whole: int, length: int, steps: int) -> slice:
    """The vertices of a finer level from one coarse vertex to another, both included."""
    stop = length if first + count == whole else ((first + count - 1) << steps) + 1
    return slice(first << steps, stop)
