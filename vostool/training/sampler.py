"""Which shots a training sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vostool.training.data import Shot, Source


@dataclass(frozen=True)
class ShotSampler:
    """How shots are drawn.

    Attributes:
        roots: the sources of each root; every root is drawn from as often as any other.
        frames, size: of a shot; the size is (H, W).
        seed: decides, with a number, what is drawn.
    """

    roots: Sequence[Sequence[Source]]
    frames: int
    size: tuple[int, int]
    seed: int

    def rng(self, *number: int) -> np.random.Generator:
        """The chance that belongs to a number."""
        return np.random.default_rng((self.seed, *number))

    def shot(self, rng: np.random.Generator) -> Shot:
        """A shot of some source."""
        root = self.roots[int(rng.integers(0, len(self.roots)))]
        source = root[int(rng.integers(0, len(root)))]
        return source.shot(self.frames, self.size, rng)
