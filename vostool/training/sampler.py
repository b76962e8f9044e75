"""Which shots a training sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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

    def shots_alike(self, rng: np.random.Generator) -> Drawer:
        """What draws shots of one size, of all sources whose shots have it.

        Sizes are drawn so that, over many of them, a source is drawn as often as by :meth:`shot`.
        """
        return self.drawers[int(rng.choice(len(self.drawers), p=self._shares))]

    @cached_property
    def drawers(self) -> list[Drawer]:
        """One for each size of shots."""
        by_size: dict[tuple[int, int], dict[int, list[Source]]] = {}
        for number, root in enumerate(self.roots):
            for source in root:
                same = by_size.setdefault(source.shot_size(self.size), {})
                same.setdefault(number, []).append(source)
        drawers = []
        for same in by_size.values():
            shares = [len(some) / len(self.roots[number]) for number, some in same.items()]
            drawers.append(Drawer(list(same.values()), shares, self.frames, self.size))
        return drawers

    @cached_property
    def _shares(self) -> list[float]:
        return [sum(drawer.shares) / len(self.roots) for drawer in self.drawers]


@dataclass(frozen=True)
class Drawer:
    """Draws shots that are alike in size.

    Attributes:
        roots: the sources of each root.
        shares: of each root's sources, how many these are.
        frames, size: of a shot; smaller sources give smaller shots.
    """

    roots: Sequence[Sequence[Source]]
    shares: Sequence[float]
    frames: int
    size: tuple[int, int]

    def shot(self, rng: np.random.Generator) -> Shot:
        """A shot of some source."""
        chances = np.array(self.shares) / sum(self.shares)
        root = self.roots[int(rng.choice(len(self.roots), p=chances))]
        source = root[int(rng.integers(0, len(root)))]
        return source.shot(self.frames, self.size, rng)
