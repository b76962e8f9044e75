"""The decoder's network: any size, objects that do not mix, and harmless before training."""

from __future__ import annotations

from dataclasses import replace

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.decoder.evidence import Evidence
from vostool.decoder.network import PRIOR_GAIN, SCORE_GAIN, Decoder
from vostool.label_propagation.network import margin, with_background
from vostool.layers import doubled

CHANNELS = (3, 4, 5, 6)


def inputs(height: int, width: int, objects: int = 2) -> tuple[list[torch.Tensor], Evidence]:
    generator = torch.Generator().manual_seed(0)
    grids = [(-(-height // s), -(-width // s)) for s in (4, 8, 16, 32)]
    features = [
        torch.randn(2, c, *grid, generator=generator)
        for c, grid in zip(CHANNELS, grids, strict=True)
    ]
    prior = torch.randn(2, objects + 1, *grids[2], generator=generator).softmax(dim=1)
    strokes = (torch.rand(2, objects + 1, *grids[0], generator=generator) < 0.05).float()
    return features, Evidence(
        torch.randn(2, objects, *grids[0], generator=generator), prior, strokes
    )


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 100), width=st.integers(1, 100))
def test_before_training_masks_are_the_scores(height: int, width: int) -> None:
    """Where nothing was carried; else the prior has its say."""
    features, evidence = inputs(height, width)
    decoder = Decoder(CHANNELS)
    nothing = replace(evidence, prior=torch.zeros_like(evidence.prior))
    looks = margin(with_background(evidence.scores))
    torch.testing.assert_close(decoder(features, nothing), SCORE_GAIN * looks)
    margins = margin(evidence.prior)
    for level in features[1::-1]:
        margins = doubled(margins, level.shape[-2:])
    expected = SCORE_GAIN * looks + PRIOR_GAIN * margins
    torch.testing.assert_close(decoder(features, evidence), expected)


def trained() -> Decoder:
    """Weights that are nobody's, so that every part has a say."""
    torch.manual_seed(0)
    decoder = Decoder(CHANNELS).eval()
    for module in decoder.modules():
        if isinstance(module, torch.nn.Conv2d) and not module.weight.any():
            torch.nn.init.normal_(module.weight, std=0.1)
    return decoder


@torch.inference_mode()
def test_frames_do_not_mix() -> None:
    decoder = trained()
    features, evidence = inputs(64, 96)
    both = decoder(features, evidence)
    second = decoder(
        [level[1:] for level in features],
        Evidence(evidence.scores[1:], evidence.prior[1:], evidence.strokes[1:]),
    )
    torch.testing.assert_close(second, both[1:], atol=1e-4, rtol=1e-4)
    assert (both - SCORE_GAIN * evidence.scores).abs().max() > 0.01


@torch.inference_mode()
def test_objects_in_another_order_give_the_same_masks() -> None:
    """Objects hear of each other by margins and strokes alone, whichever comes first."""
    decoder = trained()
    features, evidence = inputs(64, 96, objects=3)
    order = [2, 0, 1]
    with_background = [0, *(k + 1 for k in order)]
    turned = Evidence(
        evidence.scores[:, order],
        evidence.prior[:, with_background],
        evidence.strokes[:, with_background],
    )
    torch.testing.assert_close(decoder(features, turned), decoder(features, evidence)[:, order])


@torch.inference_mode()
def test_everything_that_it_reads_matters() -> None:
    decoder = trained()
    features, evidence = inputs(64, 96)
    answer = decoder(features, evidence)
    for name in ("scores", "prior", "strokes"):
        changed = replace(evidence, **{name: getattr(evidence, name).flip(-1)})
        assert (decoder(features, changed) - answer).abs().max() > 1e-2, name
    for n in range(len(features)):
        others = [level.flip(-1) if m == n else level for m, level in enumerate(features)]
        assert (decoder(others, evidence) - answer).abs().max() > 1e-3, n


def test_gradients_reach_every_weight_but_those_of_other_recipes() -> None:
    """The propagator is reached through the prior; what tells of presence is learnt afterwards."""
    decoder = trained()
    decoder(*inputs(64, 96)).square().sum().backward()
    others = [*decoder.propagator.parameters(), *decoder.presence.parameters()]
    theirs = {id(parameter) for parameter in others}
    for name, parameter in decoder.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.any())
        assert reached == (id(parameter) not in theirs), name
