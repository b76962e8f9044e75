"""The decoder's network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from vostool.decoder import shape
from vostool.decoder.evidence import Evidence
from vostool.decoder.shape import ABSENT, BLOCKS, CHANNELS, FEATURE_GAIN, FINE, REACH, WIDTHS
from vostool.decoder.windows import Window, cut_out, find_windows
from vostool.label_propagation.network import LabelPropagator
from vostool.layers import Residual, conv3, doubled

PRESENCE_WIDTH = 16
"""Channels of what finds where that is."""
UNTRAINED = 4.0
"""The logit of presence everywhere, before that is trained."""
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
        presence: tells, at stride 16, where an object may be; trained afterwards.
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
        somewhere = conv3(PRESENCE_WIDTH, 1, begins_at_zero=True)
        nn.init.constant_(somewhere.bias, UNTRAINED)  # type: ignore[arg-type]
        self.presence = nn.Sequential(
            nn.Conv2d(WIDTHS[FINE] + CHANNELS, PRESENCE_WIDTH, 1), nn.ReLU(), somewhere
        )

    def forward(
        self, features: Sequence[Tensor], evidence: Evidence, *, everywhere: bool = True
    ) -> Tensor:
        """Logits of the masks of some frames' objects, each against background's, which is 0.

        Args:
            features: (T, C, h, w) a stride, finest first.
            evidence: of the same frames.
            everywhere: or only where an object may be, and :data:`ABSENT` elsewhere.

        Returns:
            (T, K, h, w) at the finest stride.
        """
        read = self.read(features)
        every = evidence.of_objects([level.shape[-2:] for level in read])
        coarse = self.coarse(read, every)
        parts = self._everywhere if everywhere else self._where_objects_may_be
        return torch.stack(
            [
                parts(coarse[:, k], read, [level[:, k] for level in every])
                for k in range(coarse.shape[1])
            ],
            1,
        )

    def of_one(self, read: Sequence[Tensor], evidence: Sequence[Tensor]) -> Tensor:
        """Logits (T, h, w) at the finest stride, of one object of each frame.

        Args:
            read: the features as they were read.
            evidence: (T, CHANNELS, h, w) of that object, a stride.
        """
        coarse = self.coarse(read, [level[:, None] for level in evidence])[:, 0]
        return self._everywhere(coarse, read, evidence)

    def read(self, features: Sequence[Tensor]) -> list[Tensor]:
        """The features as every object's decoding reads them, (T, WIDTHS, h, w) a stride."""
        return [
            reading(level * FEATURE_GAIN)
            for reading, level in zip(self.read_features, features, strict=True)
        ]

    def coarse(self, read: Sequence[Tensor], evidence: Sequence[Tensor]) -> Tensor:
        """What is known of each object at stride 16, (T, K, C, h, w).

        Args:
            read: the features as they were read.
            evidence: (T, K, CHANNELS, h, w) a stride.
        """
        frames, objects = evidence[0].shape[:2]
        of_each = [level.repeat_interleave(objects, 0) for level in read[FINE:]]
        given = [level.flatten(0, 1) for level in evidence[FINE:]]
        x = self._refined(of_each[-1] + self.read_evidence[-1](given[-1]), -1)
        for n in reversed(range(len(given) - 1)):
            x = self._finer(x, of_each[n], given[n], FINE + n)
        return x.view(frames, objects, *x.shape[1:])

    def where(self, coarse: Tensor, evidence: Tensor) -> Tensor:
        """Logits (T, h, w), at stride 16, that some pixel round a vertex is an object's.

        Args:
            coarse: (T, C, h, w) what :meth:`coarse` made of the object.
            evidence: (T, CHANNELS, h, w) of the object at that stride.
        """
        logits: Tensor = self.presence(torch.cat([functional.relu(coarse), evidence], 1))
        return logits[:, 0]

    def _everywhere(
        self, coarse: Tensor, read: Sequence[Tensor], evidence: Sequence[Tensor]
    ) -> Tensor:
        """Logits (T, h, w) of an object, by its evidence (T, CHANNELS, h, w) a stride."""
        whole = slice(0, coarse.shape[-2]), slice(0, coarse.shape[-1])
        return self._fine(coarse, read, evidence, whole)[0]

    def _where_objects_may_be(
        self, coarse: Tensor, read: Sequence[Tensor], evidence: Sequence[Tensor]
    ) -> Tensor:
        """The same where the object may be, and :data:`ABSENT` elsewhere."""
        logits = torch.full_like(evidence[0][:, 0], ABSENT)
        for t, where in enumerate(self.where(coarse, evidence[FINE])):
            frame = slice(t, t + 1)
            for window in find_windows((where > shape.PRESENT).cpu().numpy()):
                found, (rows, columns) = self._fine(
                    coarse[frame],
                    [level[frame] for level in read[:FINE]],
                    [level[frame] for level in evidence[:FINE]],
                    window,
                )
                logits[frame, rows, columns] = found
        return logits

    def _fine(
        self, x: Tensor, read: Sequence[Tensor], evidence: Sequence[Tensor], window: Window
    ) -> tuple[Tensor, Window]:
        """Logits (T, h, w) in a window of stride 16, and where at the finest stride they lie."""
        sizes = [*(level.shape[-2:] for level in read[:FINE]), x.shape[-2:]]
        *cuts, coarsest = cut_out(window, sizes, REACH)
        x = x[:, :, *coarsest.kept]
        for n in reversed(range(FINE)):
            here = cuts[n].computed
            x = self._finer(x, read[n][:, :, *here], evidence[n][:, :, *here], n)
            if n > 0:
                x = x[:, :, *cuts[n].within]
        seen = evidence[0][:, :, *cuts[0].computed]
        looks, prior = seen[:, :1], seen[:, 1:2]
        logits: Tensor = self.out(functional.relu(x)) + self.gain * looks + self.prior_gain * prior
        return logits[:, 0, *cuts[0].within], cuts[0].kept

    def _finer(self, x: Tensor, read: Tensor, evidence: Tensor, n: int) -> Tensor:
        """From what is known at one stride to half of it, of number ``n``."""
        below = doubled(self.bring_up[n](x), read.shape[-2:])
        return self._refined(read + self.read_evidence[n](evidence) + below, n)

    def _refined(self, x: Tensor, n: int) -> Tensor:
        refined: Tensor = self.refine[n](self.mix[n](functional.relu(x)))
        return refined
