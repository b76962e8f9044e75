"""The losses: Eq. 4 for the context, and that of masks for the networks beyond the paper.

Eq. 4 keeps features of one object close together across frames, and away from everything else.

    sum over a in A of  min over p in P |F(a) - F(p)|²  /  (min over n in N |F(a) - F(n)|² + α)

A are the object's pixels in the anchor frames, P and N its pixels and all others in the pool
frames.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from vostool.label_propagation.network import with_background

ALPHA = 0.01
"""The paper's α is "a small constant". Distances here are in units of their median; see
:mod:`vostool.training.recipes.context`."""

BLOCK = 4096
"""Anchors and pool pixels of which all distances are held at a time."""


def context_loss(
    anchors: Tensor, positives: Tensor, negatives: Tensor, alpha: float = ALPHA
) -> Tensor:
    """Eq. 4 for one object.

    Args:
        anchors: (|A|, C) features of the object in the anchor frames.
        positives: (|P|, C) features of the object in the pool frames.
        negatives: (|N|, C) features of all else in the pool frames.
        alpha: keeps the denominator from zero.

    Returns:
        The sum over anchors, a scalar; 0 where a set is empty, for then nothing can be compared.
    """
    if not (len(anchors) and len(positives) and len(negatives)):
        return anchors.sum() * 0
    to_positive = squared_distance_to_nearest(anchors, positives)
    to_negative = squared_distance_to_nearest(anchors, negatives)
    return (to_positive / (to_negative + alpha)).sum()


def squared_distance_to_nearest(points: Tensor, pool: Tensor) -> Tensor:
    """min over the pool of |point - q|², for each point: (n,).

    The nearest are looked up block by block without gradients, so that the matrix of all distances
    never exists; a minimum's gradient goes through the nearest alone, so nothing is lost.
    """
    with torch.no_grad():
        nearest = torch.cat([_nearest(block, pool) for block in torch.split(points, BLOCK)])
    return (points - pool[nearest]).square().sum(dim=1)


def label_loss(logits: Tensor, truth: Tensor, present: Tensor) -> Tensor:
    """Cross-entropy over objects and background, and half of Dice's for each object.

    Dice's weighs a small object as much as a large one.

    Args:
        logits: (T, K, H, W) of the objects; background's are 0.
        truth: (T, H, W) int64, 0 for background, k for the k-th object.
        present: (T, K) which objects there are.
    """
    every = with_background(logits)
    entropy = functional.cross_entropy(every, truth)
    shares = every.softmax(dim=1)[:, 1:]
    true = functional.one_hot(truth, every.shape[1]).movedim(3, 1)[:, 1:].to(shares)
    both, either = (shares * true).sum((2, 3)), (shares + true).sum((2, 3))
    return entropy + 0.5 * (1 - (2 * both + 1) / (either + 1))[present].mean()


def share_loss(shares: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy of shares that sum to 1 against true ones.

    Args:
        shares, truth: (…, K + 1, h, w).
    """
    return -(truth * shares.clamp(min=1e-4).log()).sum(dim=-3).mean()


def _nearest(points: Tensor, pool: Tensor) -> Tensor:
    """The index in the pool of each point's nearest."""
    best = points.new_full((len(points),), torch.inf)
    nearest = torch.zeros(len(points), dtype=torch.long, device=points.device)
    for number, block in enumerate(torch.split(pool, BLOCK)):
        # |q|² - 2 p·q differs from |p - q|² by |p|², which is the same for every q.
        distance, index = (block.square().sum(dim=1) - 2 * points @ block.T).min(dim=1)
        closer = distance < best
        best[closer] = distance[closer]
        nearest[closer] = index[closer] + number * BLOCK
    return nearest
