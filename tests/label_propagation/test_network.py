"""What carries labels: untrained it matches; it hears the classifier; objects are alike to it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from vostool.label_propagation.carrier import Labelled, View
from vostool.label_propagation.network import LabelPropagator, Seen, margin, with_background

CHANNELS = (7, 9)
SIZE = (12, 15)


def views_of(
    propagator: LabelPropagator, frames: int = 2, objects: int = 2, size: tuple[int, int] = SIZE
) -> list[View[Seen, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    coarse = (-(-size[0] // 2), -(-size[1] // 2))
    features = [
        torch.randn(frames, channels, *grid, generator=generator) * 0.2
        for channels, grid in zip(CHANNELS, (size, coarse), strict=True)
    ]
    scores = torch.randn(frames, objects, *size, generator=generator) * 0.3
    both = zip(propagator.seen(features), scores, strict=True)
    return [View(seen, its_scores) for seen, its_scores in both]


def labels_of(objects: int = 2, size: tuple[int, int] = SIZE) -> Tensor:
    """Sure ones: a block for each object."""
    which = torch.zeros(size, dtype=torch.long)
    for k in range(1, objects + 1):
        which[3:9, 4 * k - 2 : 4 * k + 1] = k
    return functional.one_hot(which, objects + 1).permute(2, 0, 1).float()


@pytest.fixture
def trained() -> LabelPropagator:
    """Weights that are nobody's, so that every part has a say."""
    torch.manual_seed(0)
    propagator = LabelPropagator(CHANNELS).eval()
    torch.nn.init.normal_(propagator.out.weight, std=0.2)
    return propagator


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 3), st.integers(1, 3))
@torch.inference_mode()
def test_labels_are_shares_at_any_size(height: int, width: int, objects: int, known: int) -> None:
    torch.manual_seed(0)
    propagator = LabelPropagator(CHANNELS)
    view, *others = views_of(propagator, known + 1, objects, (height, width))
    assert view.scores.shape == (objects, height, width)
    norm = view.seen.descriptor.norm(dim=0)
    torch.testing.assert_close(norm, torch.ones(height, width))
    labels = torch.rand(objects + 1, height, width).softmax(dim=0)
    found = propagator(view, [Labelled(other.seen, labels) for other in others])
    assert found.shape == labels.shape
    torch.testing.assert_close(found.sum(dim=0), torch.ones(height, width))


@torch.inference_mode()
def test_untrained_it_lets_labels_stay_on_the_same_frame() -> None:
    torch.manual_seed(0)
    propagator, labels = LabelPropagator(CHANNELS), labels_of()
    view = views_of(propagator)[0]
    silent = View(view.seen, torch.zeros_like(view.scores))
    found = propagator(silent, [Labelled(view.seen, labels)])
    assert torch.equal(found.argmax(dim=0), labels.argmax(dim=0))


@torch.inference_mode()
def test_the_classifier_can_contradict_what_was_carried() -> None:
    torch.manual_seed(0)
    propagator, labels = LabelPropagator(CHANNELS), labels_of()
    view = views_of(propagator)[0]
    scores = torch.zeros_like(view.scores)
    scores[1, :3] = 20.0
    found = propagator(View(view.seen, scores), [Labelled(view.seen, labels)])
    assert (found.argmax(dim=0)[:3] == 2).all() and labels.argmax(dim=0)[:3].max() == 0


@torch.inference_mode()
def test_objects_in_another_order_get_the_same_labels(trained: LabelPropagator) -> None:
    view, other = views_of(trained, objects=3)
    labels, order = labels_of(3), [2, 0, 1]
    found = trained(view, [Labelled(other.seen, labels)])
    behind = [0, *(k + 1 for k in order)]
    turned = trained(
        View(view.seen, view.scores[order]),
        [Labelled(other.seen, labels[behind])],
    )
    torch.testing.assert_close(turned, found[behind])


@torch.inference_mode()
def test_frames_that_are_seen_together_are_seen_as_alone(trained: LabelPropagator) -> None:
    generator = torch.Generator().manual_seed(1)
    features = [
        torch.randn(3, 7, 12, 15, generator=generator),
        torch.randn(3, 9, 6, 8, generator=generator),
    ]
    for t, together in enumerate(trained.seen(features)):
        (alone,) = trained.seen([level[t : t + 1] for level in features])
        torch.testing.assert_close(alone.descriptor, together.descriptor, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(alone.looks, together.looks, atol=1e-4, rtol=1e-4)


def test_gradients_reach_every_weight_over_two_steps(trained: LabelPropagator) -> None:
    first, second, third = views_of(trained, frames=3)
    known = [Labelled(first.seen, labels_of())]
    known.append(Labelled(second.seen, trained(second, known)))
    trained(third, known)[1].square().sum().backward()
    for name, parameter in trained.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


@torch.inference_mode()
def test_looks_that_tell_no_object_from_another_leave_names_to_what_was_carried() -> None:
    """Alike objects score alike; the one that was here a frame ago is the one that is here."""
    torch.manual_seed(0)
    propagator, labels = LabelPropagator(CHANNELS), labels_of()
    view = views_of(propagator)[0]
    both = (labels[1:].sum(dim=0) > 0).float() * 2 - 1
    alike = View(view.seen, both.expand_as(view.scores))
    found = propagator(alike, [Labelled(view.seen, labels)])
    assert torch.equal(found.argmax(dim=0), labels.argmax(dim=0))


def test_a_margin_is_against_the_best_of_all_else() -> None:
    labels = torch.tensor([0.2, 0.5, 0.3]).view(1, 3, 1, 1)
    torch.testing.assert_close(margin(labels).flatten(), torch.tensor([0.2, -0.2]))
    background = torch.tensor([0.7, 0.2, 0.1]).view(1, 3, 1, 1)
    torch.testing.assert_close(margin(background).flatten(), torch.tensor([-0.5, -0.6]))
    assert not margin(torch.zeros(1, 3, 2, 2)).any(), "where nothing was carried"
    scores = with_background(torch.tensor([0.5, 0.2, -0.3]).view(1, 3, 1, 1))
    torch.testing.assert_close(margin(scores).flatten(), torch.tensor([0.3, -0.3, -0.8]))
    below = with_background(torch.tensor([-0.5, -0.2]).view(1, 2, 1, 1))
    torch.testing.assert_close(margin(below).flatten(), torch.tensor([-0.5, -0.2]))
    one = torch.tensor([[[[0.7]]]])
    torch.testing.assert_close(margin(with_background(one)), one)
    logits = torch.randn(2, 3, 4, 5)
    behind = with_background(logits)
    assert behind.shape == (2, 4, 4, 5) and not behind[:, 0].any()
    torch.testing.assert_close(behind[:, 1:], logits)
