"""Two networks as one: the levels of both, over the same frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vostool.pyramid import Level

if TYPE_CHECKING:
    from vostool.backbones import Backbone


class SideBySide:
    """A :class:`vostool.backbones.Backbone`: the levels of two, by stride.

    Args:
        first: whose levels come first among those of a stride.
        second: the other.
    """

    def __init__(self, first: Backbone, second: Backbone) -> None:
        self._both = first, second
        self.precision = first.precision

    def levels(self, height: int, width: int) -> tuple[Level, ...]:
        """The grids that frames of this size give, finest first."""
        every = [level for one in self._both for level in one.levels(height, width)]
        return tuple(sorted(every, key=lambda level: level.stride))

    def features(self, frames: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float16]]:
        """Features of some frames (B, H, W, 3) uint8 RGB: (B, h, w, C) float16 a level."""
        levels = [level for one in self._both for level in one.levels(*frames.shape[1:3])]
        features = [level for one in self._both for level in one.features(frames)]
        by_stride = sorted(range(len(levels)), key=lambda n: levels[n].stride)
        return [features[n] for n in by_stride]
