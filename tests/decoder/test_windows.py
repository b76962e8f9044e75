"""Windows hold all that may be there, and in them the decoder answers as for the whole frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.decoder.test_network import inputs, trained
from vostool.decoder.network import Decoder
from vostool.decoder.shape import ABSENT, FINE
from vostool.decoder.windows import find_windows

STRIDE = 2**FINE
"""Vertices of the finest grid to one of those by which windows are found."""


def patches(seed: int, height: int, width: int, share: float) -> npt.NDArray[np.bool_]:
    return np.random.default_rng(seed).random((height, width)) < share


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 99), st.integers(1, 40), st.integers(1, 60), st.sampled_from([0, 0.01, 0.2]))
def test_every_vertex_is_in_a_window(seed: int, height: int, width: int, share: float) -> None:
    present = patches(seed, height, width, share)
    windows = find_windows(present)
    covered = np.zeros_like(present)
    for rows, columns in windows:
        assert 0 <= rows.start < rows.stop <= height and 0 <= columns.start < columns.stop <= width
        covered[rows, columns] = True
    assert not (present & ~covered).any()
    assert bool(windows) == bool(present.any())


def test_things_far_apart_have_windows_of_their_own() -> None:
    present = np.zeros((60, 120), np.bool_)
    present[1, 1] = present[2, 3] = present[55, 110] = True
    assert len(find_windows(present)) == 2


class Told(nn.Module):
    """A presence that is told where objects are."""

    def __init__(self, present: npt.NDArray[np.bool_]) -> None:
        super().__init__()
        self.present = torch.from_numpy(present)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Sure of it."""
        return (self.present * 20.0 - 10.0).expand(len(x), 1, -1, -1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.integers(1, 900), st.integers(1, 900))
@torch.inference_mode()
def test_in_its_windows_logits_are_those_of_the_whole_frame(
    seed: int, height: int, width: int
) -> None:
    """At every pixel that is nearest to a vertex where something may be, to the last bit or two."""
    decoder = trained()
    features, evidence = inputs(height, width)
    coarse = tuple(features[FINE].shape[-2:])
    present = patches(seed, coarse[0], coarse[1], 0.02)
    decoder.presence = nn.Sequential(Told(present))
    whole = decoder(features, evidence)
    cut = decoder(features, evidence, everywhere=False)
    rows, columns = (
        np.minimum((np.arange(fine) + STRIDE // 2) // STRIDE, length - 1)
        for fine, length in zip(whole.shape[-2:], coarse, strict=True)
    )
    near = torch.from_numpy(present[np.ix_(rows, columns)])
    torch.testing.assert_close(cut[:, :, near], whole[:, :, near], atol=1e-4, rtol=1e-4)
    decoded = cut != ABSENT
    torch.testing.assert_close(cut[decoded], whole[decoded], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("present", [False, True])
def test_nothing_or_all_of_a_frame_may_be_there(present: bool) -> None:
    decoder = trained()
    features, evidence = inputs(200, 300)
    told = np.full(features[FINE].shape[-2:], present)
    decoder.presence = nn.Sequential(Told(told))
    cut = decoder(features, evidence, everywhere=False)
    if present:
        torch.testing.assert_close(cut, decoder(features, evidence), atol=1e-4, rtol=1e-4)
    else:
        assert (cut == ABSENT).all()


@torch.inference_mode()
def test_before_it_is_trained_objects_may_be_anywhere() -> None:
    decoder = Decoder((3, 4, 5, 6)).eval()
    features, evidence = inputs(200, 300)
    assert (decoder(features, evidence, everywhere=False) != ABSENT).all()
