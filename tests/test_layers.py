"""Layers that networks share: aligned from stride to stride, any size, and harmless at first."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.layers import Residual, conv3, doubled, halved


@pytest.mark.parametrize("size", [(12, 17), (13, 16), (1, 2), (2, 1)])
def test_every_vertex_is_every_other_of_the_finer_stride(size: tuple[int, int]) -> None:
    coarse = torch.randn(1, 2, -(-size[0] // 2), -(-size[1] // 2))
    fine = doubled(coarse, size)
    assert fine.shape[-2:] == size
    torch.testing.assert_close(fine[..., ::2, ::2], coarse)
    assert halved(fine).shape == coarse.shape


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40))
def test_what_is_alike_everywhere_stays_so(height: int, width: int) -> None:
    """At the borders, too."""
    fine = torch.full((1, 1, height, width), 3.0)
    coarse = halved(fine)
    assert coarse.shape[-2:] == (-(-height // 2), -(-width // 2))
    torch.testing.assert_close(coarse, torch.full_like(coarse, 3.0))
    torch.testing.assert_close(doubled(coarse, (height, width)), fine)


def test_a_slope_stays_where_it_is() -> None:
    """Half a vertex too far to a side would be two pixels at stride 4."""
    slope = torch.arange(33.0).expand(1, 1, 9, 33)
    back = doubled(halved(slope), (9, 33))
    torch.testing.assert_close(back[..., 2:-2], slope[..., 2:-2])


def test_an_untrained_block_changes_nothing() -> None:
    x = torch.randn(2, 5, 7, 9)
    torch.testing.assert_close(Residual(5)(x), x)
    assert not conv3(3, 4, begins_at_zero=True)(torch.randn(1, 3, 6, 6)).any()
    assert conv3(3, 4)(torch.randn(1, 3, 6, 1)).shape == (1, 4, 6, 1)
