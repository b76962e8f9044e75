"""The decoder's network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from vostool.decoder.evidence import CHANNELS, Evidence
from vostool.label_propagation.network import LabelPropagator
from vostool.layers import Residual, conv3, doubled

WIDTHS = (24, 40, 64, 96)
"""Channels at each stride, finest first."""
BLOCKS = (1, 1, 1, 2)
"""Residual blocks at each stride."""
FEATURE_GAIN = 4.0
"""Features are of unit length per stage, so each is small; this brings them to about one."""
SCORE_GAIN = 4.0
"""Scores are near 0 and 1 by Eq. 3; the logits begin as the scores times this."""
PRIOR_GAIN = 1.0
"""And to them comes the prior's margin times this."""


class Decoder(nn.Module):
    """Evidence of objects in, logits of their masks out, at the stride of the finest features.

    From the coarsest stride to the finest, features and evidence are mixed and brought up to the
    next. The output is added to the scores and begins at zero.

    Args:
        channels: of the features at each stride, finest first; each stride is half the next.

    Attributes:
        propagator: makes the prior, which is part of the evidence; trained together.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.read_features = nn.ModuleList(
            nn.Conv2d(n, width, 1) for n, width in zip(channels, WIDTHS, strict=True)
        )
        self.read_evidence = nn.ModuleList(conv3(CHANNELS, width) for width in WIDTHS)
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
        self.prior_gain = nn.Parameter(torch.tensor(PRIOR_GAIN))
        self.propagator = LabelPropagator(channels[2:])

    def forward(self, features: Sequence[Tensor], evidence: Evidence) -> Tensor:
        """Logits of the masks of some frames' objects, each against background's, which is 0.

        Args:
            features: (T, C, h, w) a stride, finest first.
            evidence: of the same frames.

        Returns:
            (T, K, h, w) at the finest stride.
        """
        read = [
            reading(level * FEATURE_GAIN)
            for reading, level in zip(self.read_features, features, strict=True)
        ]
        sizes = [level.shape[-2:] for level in features]
        return torch.cat([self._one(read, one) for one in evidence.of_each_object(sizes)], 1)

    def _one(self, read: list[Tensor], evidence: list[Tensor]) -> Tensor:
        """Of one object: the features as they were read, and its evidence a stride."""
        x = read[-1] + self.read_evidence[-1](evidence[-1])
        for n in reversed(range(len(read))):
            if n < len(read) - 1:
                below = doubled(self.bring_up[n](x), read[n].shape[-2:])
                x = read[n] + self.read_evidence[n](evidence[n]) + below
            x = self.refine[n](self.mix[n](functional.relu(x)))
        looks, prior = evidence[0][:, :1], evidence[0][:, 1:2]
        logits: Tensor = self.out(functional.relu(x)) + self.gain * looks + self.prior_gain * prior
        return logits
