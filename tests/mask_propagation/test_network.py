"""The default network begins as the classifier, and looks at all that it is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from vostool.decoder.network import halved
from vostool.mask_propagation.network import WIDTHS, NetworkInput, PropagationNetwork

CHANNELS = (24, 40, 112, 192)


def network_input(seed: int = 0, height: int = 40, width: int = 56, n: int = 1) -> NetworkInput:
    generator = torch.Generator().manual_seed(seed)
    size, features = (height, width), []
    for channels in CHANNELS:
        features.append(torch.randn(n, channels, *size, generator=generator) * 0.2)
        size = (-(-size[0] // 2), -(-size[1] // 2))
    marks = (torch.rand(n, 2, height, width, generator=generator) < 0.02).float()
    return NetworkInput(
        features,
        torch.randn(n, 1, height, width, generator=generator),
        torch.rand(n, 1, height, width, generator=generator),
        marks,
    )


@pytest.fixture
def trained() -> PropagationNetwork:
    """Weights that are nobody's, so that every part has a say."""
    torch.manual_seed(0)
    network = PropagationNetwork(CHANNELS).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d) and not module.weight.any():
            torch.nn.init.normal_(module.weight, std=0.05)
    return network


def test_untrained_it_gives_the_classifiers_answer() -> None:
    shown = network_input()
    logits = PropagationNetwork(CHANNELS)(shown)
    expected = shown.classifier
    for level in logits:
        torch.testing.assert_close(level, expected)
        expected = halved(expected)
    assert len(logits) == len(WIDTHS)


@torch.inference_mode()
def test_where_there_is_no_news_it_gives_the_classifiers_answer(
    trained: PropagationNetwork,
) -> None:
    shown = network_input().without_news()
    assert not shown.marks.any()
    torch.testing.assert_close(trained(shown)[0], shown.classifier)


@torch.inference_mode()
def test_everything_it_is_shown_matters(trained: PropagationNetwork) -> None:
    shown, other = network_input(0), network_input(1)
    reference = trained.reference(network_input(2))
    answer = trained(shown, reference)[0]
    for name in ("features", "mask", "marks"):
        changed = replace(shown, **{name: getattr(other, name)})
        assert (trained(changed, reference)[0] - answer).abs().max() > 1e-3, name
    assert (trained(shown, trained.reference(other))[0] - answer).abs().max() > 1e-3
    assert (trained(shown)[0] - answer).abs().max() > 1e-3


@torch.inference_mode()
def test_an_annotated_frame_is_its_own_reference(trained: PropagationNetwork) -> None:
    shown = network_input()
    torch.testing.assert_close(trained(shown)[0], trained(shown, trained.reference(shown))[0])


@torch.inference_mode()
def test_matching_finds_the_mask_wherever_it_went(trained: PropagationNetwork) -> None:
    """The reference's frame, mirrored: its mask is found mirrored."""
    shown = network_input()
    mirrored = replace(
        shown,
        features=[level.flip(-1) for level in shown.features],
        mask=torch.zeros_like(shown.mask),
    )
    trained.sharpness.fill_(1000.0)
    found = trained._match(mirrored, trained.reference(shown))
    expected = halved(halved(shown.mask))
    torch.testing.assert_close(found, expected.flip(-1), atol=1e-3, rtol=1e-3)


@torch.inference_mode()
def test_objects_do_not_hear_of_each_other(trained: PropagationNetwork) -> None:
    one, two = network_input(0), network_input(1)
    together = NetworkInput(
        [torch.cat(pair) for pair in zip(one.features, two.features, strict=True)],
        *(
            torch.cat([getattr(one, name), getattr(two, name)])
            for name in ("classifier", "mask", "marks")
        ),
    )
    answer = trained(together, trained.reference(together))[0]
    for n, alone in enumerate((one, two)):
        torch.testing.assert_close(
            answer[n : n + 1], trained(alone, trained.reference(alone))[0], atol=1e-4, rtol=1e-3
        )


def test_gradients_reach_every_weight(trained: PropagationNetwork) -> None:
    reference = trained.reference(network_input(1))
    total: Tensor = sum(
        (level.square().sum() for level in trained(network_input(0), reference)), Tensor([0])
    )
    total.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.any() for p in trained.parameters())


@pytest.mark.parametrize(("height", "width"), [(120, 214), (41, 41), (57, 49)])
@torch.inference_mode()
def test_any_size(trained: PropagationNetwork, height: int, width: int) -> None:
    assert trained(network_input(0, height, width))[0].shape == (1, 1, height, width)
