"""The decoder's network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (24, 40, 64, 96)
"""Channels at each stride, finest first."""
BLOCKS = (1, 1, 1, 2)
"""Residual blocks at each stride."""
FEATURE_GAIN = 4.0
"""Features are of unit length per stage, so each is small; this brings them to about one."""
SCORE_GAIN = 4.0
"""Scores are near 0 and 1 by Eq. 3; the logits begin as the scores times this."""


class Decoder(nn.Module):
    """Scores of objects in, logits of their masks out, at the stride of the finest features.

    From the coarsest stride to the finest, features and scores are mixed and brought up to the
    next. The output is added to the scores and begins at zero, so an untrained decoder changes
    nothing.

    Args:
        channels: of the features at each stride, finest first; each stride is half the next.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.read_features = nn.ModuleList(
            nn.Conv2d(n, width, 1) for n, width in zip(channels, WIDTHS, strict=True)
        )
        self.read_score = nn.ModuleList(conv3(1, width) for width in WIDTHS)
        self.bring_up = nn.ModuleList(
            nn.Conv2d(below, width, 1) for width, below in pairwise(WIDTHS)
        )
        self.mix = nn.ModuleList(conv3(width, width) for width in WIDTHS)
        self.refine = nn.ModuleList(
            nn.Sequential(*(Residual(width) for _ in range(count)))
            for width, count in zip(WIDTHS, BLOCKS, strict=True)
        )
        self.out = conv3(WIDTHS[0], 1, begins_at_zero=True)
        self.gain = nn.Parameter(torch.tensor(SCORE_GAIN))

    def forward(self, features: Sequence[Tensor], scores: Tensor) -> Tensor:
        """Logits of the masks of some frames' objects.

        Args:
            features: (T, C, h, w) a stride, finest first.
            scores: (T, K, h, w), of each object against all else, at the finest stride.

        Returns:
            (T, K, h, w) at the finest stride.
        """
        read = [
            reading(level * FEATURE_GAIN)
            for reading, level in zip(self.read_features, features, strict=True)
        ]
        return torch.cat([self._one(read, scores[:, k : k + 1]) for k in range(scores.shape[1])], 1)

    def _one(self, read: list[Tensor], score: Tensor) -> Tensor:
        """Of one object: the features as they were read, and its score (T, 1, h, w)."""
        at_stride = [score]
        for _ in read[1:]:
            at_stride.append(halved(at_stride[-1]))
        x = read[-1] + self.read_score[-1](at_stride[-1])
        for n in reversed(range(len(read))):
            if n < len(read) - 1:
                below = doubled(self.bring_up[n](x), read[n].shape[-2:])
                x = read[n] + self.read_score[n](at_stride[n]) + below
            x = self.refine[n](self.mix[n](functional.relu(x)))
        logits: Tensor = self.out(functional.relu(x)) + self.gain * score
        return logits


class Residual(nn.Module):
    """Two convolutions, added to what goes in; begins as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv3(channels, channels)
        self.second = conv3(channels, channels, begins_at_zero=True)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.first(functional.relu(x)))
        result: Tensor = x + self.second(inner)
        return result


def doubled(x: Tensor, size: Sequence[int]) -> Tensor:
    """Brought to half the stride, (…, h, w) of a size: every vertex is every other of the finer."""
    h, w = x.shape[-2:]
    between = functional.interpolate(
        x, size=(2 * h - 1, 2 * w - 1), mode="bilinear", align_corners=True
    )
    beyond = (0, size[1] - between.shape[-1], 0, size[0] - between.shape[-2])
    return functional.pad(between, beyond, mode="replicate") if any(beyond) else between


def halved(x: Tensor) -> Tensor:
    """Brought to twice the stride: averaged round every other vertex."""
    return functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)


def conv3(inputs: int, outputs: int, *, begins_at_zero: bool = False) -> nn.Conv2d:
    """A convolution of 3 by 3 vertices that keeps the size."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    if begins_at_zero:
        nn.init.zeros_(conv.weight)
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv
