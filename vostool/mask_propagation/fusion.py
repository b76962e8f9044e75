"""How answers come together: of several objects, and of the network and the classifier."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

FADE = 40.0
"""Frames from the annotated one after which the network's weight has fallen to 1/e."""
SURE = 16.0
"""Logits are kept within this, so that one object's certainty cannot drown all others."""


def aggregate(logits: Tensor) -> Tensor:
    """Soft aggregation of several objects' answers (Wug Oh et al. 2018, Eq. 1 and 2).

    Background's probability is that of no object, Π (1 - p_k); with it, the odds of all are
    normalised to one. A single object's answer stays as it is.

    Args:
        logits: (K, h, w) of each object against all else.

    Returns:
        (K, h, w): the logarithm of each object's share over background's.
    """
    logits = logits.clamp(-SURE, SURE)
    if len(logits) == 1:
        return logits
    nothing = functional.logsigmoid(-logits).sum(dim=0)  # log Π (1 - p)
    background = nothing - torch.log(-torch.expm1(nothing))
    return logits - background


def shares(logits: Tensor) -> Tensor:
    """What :func:`aggregate` gave, as probabilities (K, h, w); with background's they sum to 1."""
    background = torch.zeros_like(logits[:1])
    return torch.cat([background, logits]).softmax(dim=0)[1:]


def fuse(network: Tensor, classifier: Tensor, distance: int) -> Tensor:
    """The network's answer and the classifier's, together.

    The network's weight falls with the distance from the annotated frame, for errors add up on the
    way, and with disagreement: where the two masks have little in common, one of them has lost the
    object, and the one that does not look back is more often right.

    Args:
        network, classifier: (K, h, w) logits.
        distance: frames from the annotated one.

    Returns:
        (K, h, w) logits.
    """
    weight = agreement(network > 0, classifier > 0) * 2.718281828 ** (-distance / FADE)
    return torch.lerp(classifier, network, weight[:, None, None])


def agreement(one: Tensor, other: Tensor) -> Tensor:
    """(K,): the Jaccard index of two masks (K, h, w) each; 1 where both are empty."""
    both = (one & other).sum(dim=(1, 2)).float()
    either = (one | other).sum(dim=(1, 2)).float()
    return torch.where(either > 0, both / either.clamp(min=1), torch.ones_like(both))
