"""Eq. 4 is what the paper writes, whatever the sizes, and its gradient is its gradient.

The losses of masks and of carried labels are least for the truth.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vostool.training import loss
from vostool.training.loss import context_loss, label_loss, share_loss

BOTH = torch.tensor([[True, True]])
"""Objects are there."""


def literal(anchors: Tensor, positives: Tensor, negatives: Tensor, alpha: float) -> Tensor:
    """Eq. 4 as a reader of the paper would write it: loops over every pair."""
    total = torch.zeros((), dtype=anchors.dtype)
    for a in anchors:
        nearest_positive = torch.stack([((a - p) ** 2).sum() for p in positives]).min()
        nearest_negative = torch.stack([((a - n) ** 2).sum() for n in negatives]).min()
        total = total + nearest_positive / (nearest_negative + alpha)
    return total


def features(seed: int, count: int, channels: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, channels, generator=generator, dtype=torch.float64)


@settings(deadline=None)
@given(st.integers(0, 99), *(st.integers(1, 17) for _ in "APN"), st.floats(0.01, 2))
def test_it_is_the_literal_double_loop(seed: int, a: int, p: int, n: int, alpha: float) -> None:
    anchors, positives, negatives = sets = [
        features(seed + k, count).requires_grad_() for k, count in ((0, a), (100, p), (200, n))
    ]
    ours = context_loss(anchors, positives, negatives, alpha)
    theirs = literal(anchors, positives, negatives, alpha)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-9)
    for mine, yours in zip(
        torch.autograd.grad(ours, sets), torch.autograd.grad(theirs, sets), strict=True
    ):
        torch.testing.assert_close(mine, yours)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    anchors, positives, negatives = (features(k, count) for k, count in enumerate((50, 40, 70)))
    whole = context_loss(anchors, positives, negatives)
    monkeypatch.setattr(loss, "BLOCK", 7)
    torch.testing.assert_close(context_loss(anchors, positives, negatives), whole)


def test_the_matrix_of_all_distances_never_exists() -> None:
    """20,000 x 400,000 distances would be 32 GB."""
    anchors = torch.rand(20_000, 2)
    pool = torch.rand(400_000, 2)
    nearest = loss._nearest(anchors[:5], pool)
    expected = torch.cdist(anchors[:5], pool).argmin(dim=1)
    assert torch.equal(nearest, expected)
    assert loss.squared_distance_to_nearest(anchors[:64], pool).max() < 1e-3


@pytest.mark.parametrize("empty", range(3))
def test_an_empty_set_gives_zero_and_a_gradient_of_zero(empty: int) -> None:
    anchors, positives, negatives = (
        features(k, 0 if k == empty else 3).requires_grad_() for k in range(3)
    )
    value = context_loss(anchors, positives, negatives)
    value.backward()  # type: ignore[no-untyped-call]
    assert value.item() == 0


def test_the_mask_loss_is_least_for_the_truth() -> None:
    truth = torch.tensor([[[1, 0], [2, 1]]])
    true = torch.stack([truth == 1, truth == 2], 1).float()
    right, wrong = (label_loss(sign * 9 * (2 * true - 1), truth, BOTH).item() for sign in (1, -1))
    assert right < 0.01 and wrong > 5
    nothing = torch.zeros_like(truth)
    assert label_loss(torch.full((1, 2, 2, 2), -20.0), nothing, BOTH).item() < 1e-6


def test_a_swap_of_two_objects_costs_as_much_as_losing_both() -> None:
    truth = torch.tensor([[[1, 1], [2, 2]]])
    true = torch.stack([truth == 1, truth == 2], 1).float()
    swapped, lost = (
        label_loss(logits, truth, BOTH) for logits in (9 * (2 * true.flip(1) - 1), -9 * true)
    )
    assert swapped >= lost > 5


def test_a_small_object_weighs_as_much_as_a_large_one() -> None:
    """By its half of Dice's."""
    truth = torch.zeros(1, 40, 40, dtype=torch.long)
    truth[0, :30], truth[0, 36:38, 3:6] = 1, 2
    logits = 9 * (2 * torch.stack([truth == 1, truth == 2], 1).float() - 1)
    right = label_loss(logits, truth, BOTH)
    for k in range(2):
        without = logits.clone()
        without[:, k] = -9
        assert (label_loss(without, truth, BOTH) - right).item() > 0.2


def test_an_object_that_is_not_there_costs_nothing() -> None:
    """Shots of a batch have as many objects as the one that has most."""
    truth = torch.tensor([[[1, 0], [0, 1]]])
    one = torch.where(truth == 1, 3.0, -3.0)[:, None]
    padded = torch.cat([one, torch.full_like(one, -1e4)], 1)
    alone = label_loss(one, truth, torch.tensor([[True]]))
    torch.testing.assert_close(label_loss(padded, truth, torch.tensor([[True, False]])), alone)


def test_the_loss_of_shares_is_least_for_the_truth() -> None:
    true = torch.tensor([[1.0, 0.0], [0.0, 1.0]])[..., None, None].expand(2, 2, 3, 4)
    assert share_loss(true, true).item() < 1e-6
    assert share_loss(true.flip(1), true).item() == pytest.approx(9.21, abs=0.01), "and is finite"
    assert share_loss(torch.full((2, 2, 3, 4), 0.5), true).item() == pytest.approx(0.693, abs=1e-3)
