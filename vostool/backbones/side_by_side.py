"""Several networks as one: the levels of all, over the same frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from vostool.backbones.backbone import Backbone
from vostool.pyramid import Level


class SideBySide:
    """A :class:`vostool.backbones.Backbone`: the levels of several, by stride.

    Args:
        networks: they; of levels of one stride, the first network's come first.

    Attributes:
        networks: they.
    """

    def __init__(self, networks: Sequence[Backbone]) -> None:
        self.networks = networks
        self.engine = _each_once(one.engine for one in networks)
        self.precision = _each_once(one.precision for one in networks)

    def levels(self, height: int, width: int) -> tuple[Level, ...]:
        """The grids that frames of this size give, finest first."""
        every = [level for one in self.networks for level in one.levels(height, width)]
        return tuple(sorted(every, key=lambda level: level.stride))

    def features(self, frames: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float16]]:
        """Features of some frames (B, H, W, 3) uint8 RGB: (B, h, w, C) float16 a level."""
        named = {
            level.name: grid
            for one in self.networks
            for level, grid in zip(
                one.levels(*frames.shape[1:3]), one.features(frames), strict=True
            )
        }
        return [named[level.name] for level in self.levels(*frames.shape[1:3])]


def _each_once(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))
