"""What the decoder reads beside the features: looks, where objects were, and strokes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vostool.label_propagation.network import margin, with_background
from vostool.layers import doubled, halved


@dataclass(frozen=True)
class Evidence:
    """Of some frames.

    Attributes:
        scores: (T, K, h, w) of the ridge classifier, each against background, at the finest stride.
        prior: (T, K + 1, h, w) the labels that were carried there, at stride 16, background first;
            0 where none were.
        strokes: (T, K + 1, h, w) where strokes are, background's first, at the finest stride.
    """

    scores: Tensor
    prior: Tensor
    strokes: Tensor

    def to(self, dtype: torch.dtype) -> Evidence:
        """In another arithmetic."""
        return Evidence(self.scores.to(dtype), self.prior.to(dtype), self.strokes.to(dtype))

    def of_objects(self, sizes: Sequence[Sequence[int]]) -> list[Tensor]:
        """Of each object, (T, K, CHANNELS, h, w) a stride, finest first.

        Args:
            sizes: (h, w) of each stride's grid.
        """
        frames, objects = self.scores.shape[:2]
        prior = torch.cat([margin(self.prior), self.prior[:, 1:]], 1)
        for size in reversed(sizes[: _levels_below(sizes, prior)]):
            prior = doubled(prior, size)
        margins, shares = torch.split(prior, objects, dim=1)
        looks = margin(with_background(self.scores))
        best = self.scores.amax(dim=1, keepdim=True).expand_as(looks)
        own = self.strokes[:, 1:]
        others = self.strokes.sum(dim=1, keepdim=True) - own
        soft = torch.stack([looks, margins, shares, best], 2).flatten(0, 1)
        # Strokes are thin: averaged, they would fade.
        strokes = torch.stack([own, others], 2).flatten(0, 1)
        at_stride = [torch.cat([soft, strokes], 1)]
        for _ in sizes[1:]:
            soft, strokes = halved(soft), functional.max_pool2d(strokes, 3, 2, 1)
            at_stride.append(torch.cat([soft, strokes], 1))
        return [level.view(frames, objects, *level.shape[1:]) for level in at_stride]


def _levels_below(sizes: Sequence[Sequence[int]], prior: Tensor) -> int:
    """How many strides are finer than the prior's."""
    return [tuple(size) for size in sizes].index(tuple(prior.shape[-2:]))
