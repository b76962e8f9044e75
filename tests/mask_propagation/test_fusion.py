"""Answers come together as the equations say, and the classifier's wins where it should."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.mask_propagation.fusion import FADE, aggregate, agreement, fuse, shares

LOGITS = st.lists(st.floats(-9, 9), min_size=2, max_size=5)


@settings(deadline=None)
@given(LOGITS)
def test_soft_aggregation_is_equations_1_and_2(values: list[float]) -> None:
    logits = torch.tensor(values, dtype=torch.float64)
    p = torch.sigmoid(logits)
    background = torch.prod(1 - p)
    every = torch.cat([background[None], p])
    odds = every / (1 - every)
    expected = odds / odds.sum()
    found = shares(aggregate(logits[:, None, None]))
    torch.testing.assert_close(found[:, 0, 0], expected[1:], atol=1e-6, rtol=1e-5)
    assert found.sum() <= 1 + 1e-9


def test_one_object_stays_as_it_is() -> None:
    logits = torch.linspace(-5, 5, 12).view(1, 3, 4)
    torch.testing.assert_close(aggregate(logits), logits)
    torch.testing.assert_close(shares(aggregate(logits)), torch.sigmoid(logits))


def test_certainty_does_not_overflow() -> None:
    logits = torch.tensor([1e4, 1e4, -1e4]).view(3, 1, 1)
    found = shares(aggregate(logits))
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found[0], found[1])
    assert found[0].item() > 0.49 and found[2].item() < 1e-6


def squares(shift: int) -> torch.Tensor:
    logits = torch.full((1, 20, 20), -4.0)
    logits[:, 5:15, 2 + shift : 12 + shift] = 4.0
    return logits


def test_the_networks_weight_falls_with_distance() -> None:
    network, classifier = squares(2), squares(0)
    off = [
        (fuse(network, classifier, distance) - classifier).abs().mean().item()
        for distance in (0, 5, 40, 400)
    ]
    assert off == sorted(off, reverse=True) and off[0] > 2 * off[2] > 0 and off[3] < 1e-3
    assert FADE > 0


def test_the_networks_weight_falls_with_disagreement() -> None:
    classifier = squares(0)
    kept = [
        ((fuse(squares(shift), classifier, 0) > 0) == (classifier > 0)).float().mean().item()
        for shift in (1, 8)
    ]
    assert kept[1] == 1.0, "one that has lost the object changes nothing"
    assert kept[0] < 1.0, "one that agrees but for a little decides that little"


def test_each_object_is_weighed_by_itself() -> None:
    lost = torch.cat([squares(1), squares(8)])
    classifier = torch.cat([squares(0), squares(0)])
    fused = fuse(lost, classifier, 0)
    assert not torch.equal(fused[0] > 0, classifier[0] > 0)
    assert torch.equal(fused[1] > 0, classifier[1] > 0)


def test_empty_masks_agree() -> None:
    nothing, something = (
        torch.zeros(1, 4, 4, dtype=torch.bool),
        torch.ones(1, 4, 4, dtype=torch.bool),
    )
    assert agreement(nothing, nothing).item() == 1
    assert agreement(nothing, something).item() == 0
