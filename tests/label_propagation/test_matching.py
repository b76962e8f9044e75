"""Matching is what a loop over every vertex and its neighbours gives."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from vostool.label_propagation.matching import find_matches, match_labels
from vostool.label_propagation.shape import BEST, RADIUS

TEMPERATURE = torch.tensor(0.07)


def matched(
    descriptor: Tensor, descriptors: Sequence[Tensor], labels: Sequence[Tensor], temperature: Tensor
) -> tuple[Tensor, Tensor]:
    """As it is done: matches with each frame, and labels by the best of all."""
    matches = [find_matches(descriptor, other) for other in descriptors]
    return match_labels(matches, labels, temperature)


def literal(
    descriptor: Tensor, descriptors: Sequence[Tensor], labels: Sequence[Tensor], temperature: Tensor
) -> tuple[Tensor, Tensor]:
    """Each vertex asks those that are near its own place, in every other frame."""
    _, h, w = descriptor.shape
    found, cosine = torch.empty(len(labels[0]), h, w), torch.empty(h, w)
    for row in range(h):
        for column in range(w):
            near = [
                (float(descriptor[:, row, column] @ other[:, y, x]), its_labels[:, y, x])
                for other, its_labels in zip(descriptors, labels, strict=True)
                for y in range(max(0, row - RADIUS), min(h, row + RADIUS + 1))
                for x in range(max(0, column - RADIUS), min(w, column + RADIUS + 1))
            ]
            best = sorted(near, key=lambda one: -one[0])[:BEST]
            likeness = torch.tensor([one for one, _ in best])
            shares = torch.softmax(likeness / temperature, dim=0)
            found[:, row, column] = sum(
                (share * one for share, (_, one) in zip(shares, best, strict=True)), Tensor([0])
            )
            cosine[row, column] = likeness[0]
    return found, cosine


def frames(seed: int, count: int, size: tuple[int, int], classes: int) -> list[list[Tensor]]:
    """Descriptors of unit length, and labels that sum to 1."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(channels: int) -> Tensor:
        return torch.randn(channels, *size, generator=generator)

    return [
        [functional.normalize(drawn(6), dim=0) for _ in range(count)],
        [drawn(classes).softmax(dim=0) for _ in range(count)],
    ]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.integers(1, 11), st.integers(1, 11), st.integers(1, 4))
def test_it_is_the_literal_loop(seed: int, height: int, width: int, others: int) -> None:
    """For frames that are smaller than the window, too."""
    descriptors, labels = frames(seed, others + 1, (height, width), classes=3)
    found = matched(descriptors[0], descriptors[1:], labels[1:], TEMPERATURE)
    expected = literal(descriptors[0], descriptors[1:], labels[1:], TEMPERATURE)
    torch.testing.assert_close(found[0], expected[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[1], expected[1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[0].sum(dim=0), torch.ones(height, width))


@pytest.mark.parametrize(("down", "right"), [(0, 0), (RADIUS, -1), (-2, RADIUS)])
def test_labels_move_with_what_they_label(down: int, right: int) -> None:
    (descriptor, *_), (labels, *_) = frames(0, 1, (16, 20), classes=3)
    labels = functional.one_hot(labels.argmax(dim=0), 3).permute(2, 0, 1).float()
    moved = descriptor.roll((down, right), (1, 2))
    found, cosine = matched(moved, [descriptor], [labels], torch.tensor(0.01))
    inner = (slice(None), slice(4, -4), slice(4, -4))
    torch.testing.assert_close(found[inner].round(), labels.roll((down, right), (1, 2))[inner])
    torch.testing.assert_close(cosine[inner[1:]], torch.ones(8, 12))


def test_what_has_gone_further_than_the_window_is_not_found() -> None:
    (descriptor, *_), (labels, *_) = frames(0, 1, (16, 20), classes=3)
    gone = descriptor.roll(RADIUS + 1, 2)
    _, cosine = matched(gone, [descriptor], [labels], TEMPERATURE)
    assert cosine[:, RADIUS + 1 :].max() < 0.999


def test_a_training_may_follow_a_prediction() -> None:
    """What is kept for a size of frames is asked for again."""
    (descriptor, other), (labels, _) = frames(0, 2, (5, 7), classes=2)
    with torch.inference_mode():
        matched(descriptor, [other], [labels], TEMPERATURE)
    temperature = TEMPERATURE.clone().requires_grad_()
    leaf = descriptor.clone().requires_grad_()
    found, _ = matched(leaf, [other], [labels], temperature)
    found[0].square().sum().backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None and leaf.grad.any()
    assert temperature.grad is not None and temperature.grad.any()
