"""The default propagation network: RGMP's design on features that are in the store already.

As in the cited paper (§3.1), one encoder looks at two frames: the target, with the mask of the
frame before it, and the reference, with its own. Both meet in a global convolution, and refinement
modules bring the result up, with a prediction at each stride.

Three things are other than there. The encoder begins with the backbone's stored features, so no
backbone runs when a mask travels. The target's features are matched with the reference's, vertex
by vertex, as in the same authors' "Video Object Segmentation using Space-Time Memory Networks",
ICCV 2019: the global convolution alone does not find an object again that has gone far. And it is
shown the classifier's answer, and the strokes that the user drew, and says what the news changes:
it looks twice, once without mask, strokes and reference, and the difference of its two answers is
added to the classifier's. What it would have drawn otherwise anyway, by a taste of its own, does
not count: the decoder, trained for longer, does that better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from vostool.decoder.network import FEATURE_GAIN, Residual, conv3, doubled, halved

WIDTHS = (24, 40, 64, 96)
"""Channels at each stride, finest first."""
MAPS = 4
"""Of each frame: the mask, the classifier's answer, strokes on the object and on all else."""
MATCHED = 2
"""Where among the strides the target is matched with the reference: at stride 16."""
KEYS = 48
"""Channels in which they are compared."""
SHARPNESS = 10.0
"""What cosines are multiplied by before the softmax, to begin with."""
GLOBAL = 7
"""Vertices of the coarsest stride that the global convolution spans."""


@dataclass(frozen=True)
class NetworkInput:
    """What the network is shown of one object in some frames.

    Attributes:
        features: (N, C, h, w) a stride, finest first.
        classifier: (N, 1, h, w) its logits, at the finest stride, as all that follows.
        mask: (N, 1, h, w) in 0..1: of the frame before, or what is known of the frame itself.
        marks: (N, 2, h, w) where strokes are on the object, and on all else.
    """

    features: Sequence[Tensor]
    classifier: Tensor
    mask: Tensor
    marks: Tensor

    def without_news(self) -> NetworkInput:
        """The same, as the classifier alone knows it."""
        unmarked = torch.zeros_like(self.marks)
        return replace(self, mask=torch.sigmoid(self.classifier), marks=unmarked)


@dataclass(frozen=True)
class Reference:
    """What is remembered of an annotated frame.

    Attributes:
        seen: (N, C, h, w) by the encoder, at the coarsest stride.
        keys: (N, KEYS, h·w) of unit length, at the stride of matching.
        mask: (N, 1, h·w) the mask there.
    """

    seen: Tensor
    keys: Tensor
    mask: Tensor


class PropagationNetwork(nn.Module):
    """The network.

    Args:
        channels: of the features at each stride, finest first; each stride is half the next.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.encoder = Encoder(channels)
        self.key = nn.Conv2d(channels[MATCHED], KEYS, 1)
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS))
        coarsest = WIDTHS[-1]
        self.meet = GlobalConvolution(2 * coarsest, coarsest)
        self.settle = Residual(coarsest)
        self.refine = nn.ModuleList(
            Refine(width, below, matched=n == MATCHED)
            for n, (width, below) in enumerate(pairwise(WIDTHS))
        )
        self.predict = nn.ModuleList(_prediction(width) for width in WIDTHS)

    def reference(self, shown: NetworkInput) -> Reference:
        """What is remembered of a frame whose mask is known."""
        return self._reference(shown, self.encoder(shown)[-1])

    def forward(self, shown: NetworkInput, reference: Reference | None = None) -> list[Tensor]:
        """Logits of the object's mask.

        Args:
            shown: the target frames.
            reference: of as many objects and of frames of the same size; by default the frames are
                their own, as the annotated ones are.

        Returns:
            (N, 1, h, w) at each stride, finest first: the classifier's where there is no news.
        """
        told, untold = self._answer(shown, reference), self._answer(shown.without_news(), None)
        classifier, logits = shown.classifier, []
        for with_news, without in zip(told, untold, strict=True):
            logits.append(classifier + with_news - without)
            classifier = halved(classifier)
        return logits

    def _answer(self, shown: NetworkInput, reference: Reference | None) -> list[Tensor]:
        """What it would add to the classifier's logits, at each stride."""
        seen = self.encoder(shown)
        reference = reference or self._reference(shown, seen[-1])
        matched = self._match(shown, reference)
        x = self.settle(self.meet(torch.cat([seen[-1], reference.seen], dim=1)))
        logits = [self.predict[-1](functional.relu(x))]
        for n in reversed(range(len(WIDTHS) - 1)):
            x = self.refine[n](seen[n], x, matched if n == MATCHED else None)
            logits.insert(0, self.predict[n](functional.relu(x)))
        return logits

    def _reference(self, shown: NetworkInput, seen: Tensor) -> Reference:
        mask = shown.mask
        for _ in range(MATCHED):
            mask = halved(mask)
        return Reference(seen, self._keys(shown), mask.flatten(2))

    def _keys(self, shown: NetworkInput) -> Tensor:
        keys = self.key(shown.features[MATCHED] * FEATURE_GAIN).flatten(2)
        return functional.normalize(keys.float(), dim=1)

    def _match(self, shown: NetworkInput, reference: Reference) -> Tensor:
        """The mask (N, 1, h, w) that the reference has at the vertices most like each."""
        alike = self.sharpness * (self._keys(shown).transpose(1, 2) @ reference.keys)
        found = alike.softmax(dim=2) @ reference.mask.to(alike).transpose(1, 2)
        n, _, h, w = shown.features[MATCHED].shape
        return found.transpose(1, 2).reshape(n, 1, h, w).to(shown.mask)


class Encoder(nn.Module):
    """From a look at some frames to what is seen at each stride.

    Args:
        channels: of the features, finest first.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.read_features = nn.ModuleList(
            nn.Conv2d(n, width, 1) for n, width in zip(channels, WIDTHS, strict=True)
        )
        self.read_maps = nn.ModuleList(conv3(MAPS, width) for width in WIDTHS)
        self.bring_down = nn.ModuleList(
            nn.Conv2d(above, width, 1) for above, width in pairwise(WIDTHS)
        )
        self.mix = nn.ModuleList(Residual(width) for width in WIDTHS)

    def forward(self, shown: NetworkInput) -> list[Tensor]:
        """(N, C, h, w) at each stride, finest first."""
        maps = torch.cat([shown.mask, torch.sigmoid(shown.classifier), shown.marks], dim=1)
        seen: list[Tensor] = []
        for n, level in enumerate(shown.features):
            x = self.read_features[n](level * FEATURE_GAIN) + self.read_maps[n](maps)
            if seen:
                x = x + self.bring_down[n - 1](halved(functional.relu(seen[-1])))
            seen.append(self.mix[n](x))
            # A line is one vertex wide: averaged, it would fade from stride to stride.
            thin = functional.max_pool2d(maps[:, 2:], 3, 2, 1)
            maps = torch.cat([halved(maps[:, :2]), thin], dim=1)
        return seen


class GlobalConvolution(nn.Module):
    """A large kernel as two pairs of one-dimensional ones (Peng et al., CVPR 2017)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        tall, wide = (GLOBAL, 1), (1, GLOBAL)
        self.tall_first = nn.Sequential(
            nn.Conv2d(inputs, outputs, tall, padding="same"),
            nn.Conv2d(outputs, outputs, wide, padding="same"),
        )
        self.wide_first = nn.Sequential(
            nn.Conv2d(inputs, outputs, wide, padding="same"),
            nn.Conv2d(outputs, outputs, tall, padding="same"),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to the same size."""
        result: Tensor = self.tall_first(x) + self.wide_first(x)
        return result


class Refine(nn.Module):
    """A refinement module: what is seen at a stride, and what came from the coarser one.

    Args:
        width: channels at the stride.
        below: channels at the coarser one.
        matched: it is also told what was found by matching.
    """

    def __init__(self, width: int, below: int, *, matched: bool) -> None:
        super().__init__()
        self.read = conv3(width, width)
        self.read_match = conv3(1, width) if matched else None
        self.skip = Residual(width)
        self.bring_up = nn.Conv2d(below, width, 1)
        self.merge = Residual(width)

    def forward(self, seen: Tensor, below: Tensor, matched: Tensor | None) -> Tensor:
        """(N, C, h, w) of all, to the finer one's size."""
        x = self.read(functional.relu(seen))
        if self.read_match is not None:
            x = x + self.read_match(matched)
        x = self.skip(x) + doubled(self.bring_up(below), seen.shape[-2:])
        merged: Tensor = self.merge(x)
        return merged


def _prediction(width: int) -> nn.Conv2d:
    """Without a bias, which would not count, and zero to begin with."""
    conv = nn.Conv2d(width, 1, 3, padding=1, bias=False)
    nn.init.zeros_(conv.weight)
    return conv
