"""The network that carries labels: what it looks at, and how it corrects what matching says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional

from vostool.label_propagation.carrier import Labelled, View
from vostool.label_propagation.matching import Matches, find_matches, match_labels
from vostool.label_propagation.shape import (
    COLDEST,
    DESCRIPTOR,
    EPSILON,
    EVIDENCE,
    FEATURE_GAIN,
    WIDTH,
)
from vostool.layers import conv3, doubled

TEMPERATURE = 0.07
LABEL_GAIN, SCORE_GAIN, ANY_GAIN = 4.0, 0.3, 1.0
"""The logits begin as the labels' margins, the scores' and the best score, times these."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the network sees of a frame at stride 16, whatever is drawn on it.

    Attributes:
        descriptor: (D, h, w), of unit length a vertex.
        looks: (1, WIDTH, h, w), what the features say to the correction.
    """

    descriptor: Tensor
    looks: Tensor
    _matches: WeakKeyDictionary[Seen, Matches] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )

    def matches(self, other: Seen) -> Matches:
        """With another frame; found once, unless gradients are followed through it."""
        if torch.is_grad_enabled():
            return find_matches(self.descriptor, other.descriptor)
        if other not in self._matches:
            self._matches[other] = find_matches(self.descriptor, other.descriptor)
        return self._matches[other]


class LabelPropagator(nn.Module):
    """A :class:`vostool.label_propagation.carrier.Carrier`.

    Args:
        channels: of the features at strides 16 and 32.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.describe = nn.Conv2d(sum(channels), DESCRIPTOR, 1, bias=False)
        nn.init.orthogonal_(self.describe.weight)  # as many products as can be are kept
        self.read_features = nn.Conv2d(sum(channels), WIDTH, 1)
        self.see = conv3(WIDTH, WIDTH)
        self.weigh = conv3(EVIDENCE, WIDTH)
        self.mix = conv3(WIDTH, WIDTH)
        self.out = conv3(WIDTH, 1, begins_at_zero=True)
        self.temperature = nn.Parameter(torch.tensor(TEMPERATURE))
        self.label_gain = nn.Parameter(torch.tensor(LABEL_GAIN))
        self.score_gain = nn.Parameter(torch.tensor(SCORE_GAIN))
        self.any_gain = nn.Parameter(torch.tensor(ANY_GAIN))

    def seen(self, features: Sequence[Tensor]) -> list[Seen]:
        """What is seen of some frames.

        Args:
            features: (T, C, h, w) at strides 16 and 32.
        """
        descriptors, looks = self.look(features)
        return [Seen(descriptors[t], looks[t : t + 1]) for t in range(len(descriptors))]

    def look(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The descriptors (T, D, h, w) of some frames, of unit length a vertex, and what the
        features say to the correction (T, WIDTH, h, w).

        Args:
            features: (T, C, h, w) at strides 16 and 32.
        """
        fine, coarse = features
        both = torch.cat([fine, doubled(coarse, fine.shape[-2:])], 1) * FEATURE_GAIN
        descriptors = functional.normalize(self.describe(both), dim=1, eps=EPSILON)
        looks: Tensor = self.see(functional.relu(self.read_features(both)))
        return descriptors, looks

    def forward(self, view: View[Seen, Tensor], known: Sequence[Labelled[Seen, Tensor]]) -> Tensor:
        """Labels (K + 1, h, w) of a frame, background first.

        Args:
            view: the frame.
            known: the annotated frame, and frames near this one.
        """
        labels, cosine = match_labels(
            [view.seen.matches(frame.seen) for frame in known],
            [frame.labels for frame in known],
            self.temperature.clamp(min=COLDEST),
        )
        logits = self.corrected(
            view.seen.looks, view.scores[None], labels[None], cosine[None], known[0].labels[None]
        )
        return with_background(logits).softmax(dim=1)[0]

    def corrected(
        self, looks: Tensor, scores: Tensor, labels: Tensor, cosine: Tensor, begin: Tensor
    ) -> Tensor:
        """Logits (N, K, h, w) of N frames' objects, each against background's, which is 0.

        Args:
            looks: (N, WIDTH, h, w) what the features say.
            scores: (N, K, h, w) of the ridge classifier, each against background.
            labels: (N, K + 1, h, w) what matching says.
            cosine: (N, h, w) how well each vertex was matched.
            begin: (N, K + 1, h, w) the labels of the annotated frame that each comes from.
        """
        here, score = margin(labels), margin(with_background(scores))
        shares, best = labels[:, 1:], scores.amax(dim=1, keepdim=True).expand_as(here)
        anything = (1 - labels[:, :1]).expand_as(here)
        seen = shares.sum((2, 3), keepdim=True) / (begin[:, 1:].sum((2, 3), keepdim=True) + 1)
        seen = seen.clamp(max=1).expand_as(here)
        matched = cosine[:, None].expand_as(here)
        evidence = torch.stack([here, score, shares, anything, best, matched, seen], 2)
        weighed = self.weigh(evidence.flatten(0, 1))  # (N · K, …): a frame's objects look alike
        mixed = self.mix(functional.relu(looks.repeat_interleave(here.shape[1], 0) + weighed))
        correction = self.out(functional.relu(mixed)).view(here.shape)
        logits: Tensor = (
            correction + self.label_gain * here + self.score_gain * score + self.any_gain * best
        )
        return logits

    def packed(self, labels: Tensor) -> Tensor:
        """The same in half the bytes."""
        return labels.half()

    def unpacked(self, labels: Tensor) -> Tensor:
        """As they were, but for rounding."""
        return labels.float()

    def between(self, labels: Sequence[Tensor], distances: Sequence[int]) -> Tensor:
        """What arrives at a frame from several sides."""
        every = torch.stack(list(labels))
        sure = every.max(dim=1, keepdim=True).values
        weights = sure.square() / torch.tensor(distances).to(sure).view(-1, 1, 1, 1)
        return (weights * every).sum(dim=0) / weights.sum(dim=0)


def margin(every: Tensor) -> Tensor:
    """Each object's label or score less the best other one, background's among them.

    Args:
        every: (T, K + 1, h, w), background first.

    Returns:
        (T, K, h, w); 0 where all are alike.
    """
    best, second = every.topk(2, dim=1).values.unbind(1)
    objects = every[:, 1:]
    others = torch.where(objects == best[:, None], second[:, None], best[:, None])
    return objects - others


def with_background(logits: Tensor) -> Tensor:
    """Objects' logits (T, K, h, w) behind background's, which is 0: (T, K + 1, h, w)."""
    return torch.cat([torch.zeros_like(logits[:, :1]), logits], 1)
