"""The neighbourhood of an object: the part of a frame that the network looks at."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vostool.pyramid import Pyramid

MARGIN = 0.5
"""How far a neighbourhood reaches beyond the object, to each side, in its heights and widths."""
SMALLEST = 6
"""Vertices of the coarsest stride that it has at least, to each side."""


@dataclass(frozen=True)
class Window:
    """A part of a pyramid, in vertices of its coarsest stride.

    Attributes:
        top, left: the first.
        height, width: how many; at least two.
    """

    top: int
    left: int
    height: int
    width: int

    def cut(self, level: Tensor, coarsest: tuple[int, int], steps: int) -> Tensor:
        """The part of one level.

        Args:
            level: (…, h, w).
            coarsest: (h, w) of the coarsest level.
            steps: how many times the level's stride was doubled to the coarsest.
        """
        rows = _along(self.top, self.height, coarsest[0], level.shape[-2], steps)
        columns = _along(self.left, self.width, coarsest[1], level.shape[-1], steps)
        return level[..., rows, columns]

    def resized(self, height: int, width: int, whole: tuple[int, int]) -> Window:
        """A window of another size about the same middle, within the whole frame's.

        Args:
            height, width: in vertices of the coarsest stride.
            whole: (h, w) of the coarsest level.
        """
        top = self.top + (self.height - height) // 2
        left = self.left + (self.width - width) // 2
        return Window(
            max(0, min(top, whole[0] - height)), max(0, min(left, whole[1] - width)), height, width
        )


def neighbourhood(mask: Tensor, pyramid: Pyramid) -> Window | None:
    """Where an object is looked for.

    Args:
        mask: (h, w) at the finest stride, where it may be.
        pyramid: the features' geometry.

    Returns:
        A window whose sides are even, or a whole frame's, so that few sizes occur; None where the
        mask is empty.
    """
    if not mask.any():
        return None
    coarsest = max(pyramid.levels, key=lambda level: level.stride)
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
    return Window(top, left, height, width)


def _along(first: int, count: int, whole: int, length: int, steps: int) -> slice:
    """The vertices of a finer level from one coarse vertex to another, both included."""
    stop = length if first + count == whole else ((first + count - 1) << steps) + 1
    return slice(first << steps, stop)
