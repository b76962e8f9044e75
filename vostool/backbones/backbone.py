"""What a network is to the rest of vostool: the levels that are read of it, and their features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vostool.pyramid import Level

SHORTEST = 1e-6
"""Of a vertex's features in one stage: what is shorter is not brought to unit length."""


class Backbone(Protocol):
    """A network, ready to run.

    Attributes:
        engine: what runs it, and of which version.
        precision: the arithmetic it runs in on its device.
    """

    engine: str
    precision: str

    def levels(self, height: int, width: int) -> tuple[Level, ...]:
        """The grids that frames of this size give, finest first."""
        ...

    def features(self, frames: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float16]]:
        """Features of some frames (B, H, W, 3) uint8 RGB: (B, h, w, C) float16 a level."""
        ...


@dataclass(frozen=True)
class LevelShape:
    """One level of a network's features.

    Attributes:
        stride: the network's pixels from one vertex to the next.
        stages: the numbers of the stages that it is made of.
        channels: of them all.
        name: of the level in the store, where it is not told by its stride.
    """

    stride: int
    stages: tuple[int, ...]
    channels: int
    name: str | None = None


def levels_of(shapes: Sequence[LevelShape], height: int, width: int) -> tuple[Level, ...]:
    """The grids of frames of a size, finest first."""
    return tuple(
        Level(
            shape.name or f"s{shape.stride}",
            shape.stride,
            (-(-height // shape.stride), -(-width // shape.stride), shape.channels),
        )
        for shape in shapes
    )
