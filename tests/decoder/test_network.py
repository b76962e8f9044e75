"""The decoder's network: aligned from stride to stride, any size, and harmless before training."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.decoder.network import SCORE_GAIN, Decoder, doubled, halved

CHANNELS = (3, 4, 5, 6)


def inputs(height: int, width: int, objects: int = 2) -> tuple[list[torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    grids = [(-(-height // s), -(-width // s)) for s in (4, 8, 16, 32)]
    features = [
        torch.randn(2, c, *grid, generator=generator)
        for c, grid in zip(CHANNELS, grids, strict=True)
    ]
    return features, torch.randn(2, objects, *grids[0], generator=generator)


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 100), width=st.integers(1, 100))
def test_before_training_masks_are_the_scores(height: int, width: int) -> None:
    features, scores = inputs(height, width)
    logits = Decoder(CHANNELS)(features, scores)
    torch.testing.assert_close(logits, SCORE_GAIN * scores)


def test_objects_and_frames_do_not_mix() -> None:
    torch.manual_seed(0)
    decoder = Decoder(CHANNELS)
    torch.nn.init.normal_(decoder.out.weight)
    features, scores = inputs(64, 96)
    both = decoder(features, scores)
    torch.testing.assert_close(decoder(features, scores[:, 1:]), both[:, 1:])
    second = decoder([level[1:] for level in features], scores[1:])
    torch.testing.assert_close(second, both[1:], atol=1e-4, rtol=1e-4)
    assert (both - SCORE_GAIN * scores).abs().max() > 0.01


@pytest.mark.parametrize("size", [(12, 17), (13, 16), (1, 2), (2, 1)])
def test_every_vertex_is_every_other_of_the_finer_stride(size: tuple[int, int]) -> None:
    coarse = torch.randn(1, 2, -(-size[0] // 2), -(-size[1] // 2))
    fine = doubled(coarse, size)
    assert fine.shape[-2:] == size
    torch.testing.assert_close(fine[..., ::2, ::2], coarse)
    assert halved(fine).shape == coarse.shape


def test_a_slope_stays_where_it_is() -> None:
    """Half a vertex too far to a side would be two pixels at stride 4."""
    slope = torch.arange(33.0).expand(1, 1, 9, 33)
    back = doubled(halved(slope), (9, 33))
    torch.testing.assert_close(back[..., 2:-2], slope[..., 2:-2])
