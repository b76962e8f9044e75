"""Masks at the clip's pixels are the best of all logits brought up, wherever an object lies."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.backbones.efficientnet_lite import ARCHITECTURE
from vostool.decoder.pixels import Pixels
from vostool.pyramid import Pyramid


def drawn(seed: int, objects: int, size: tuple[int, ...], height: float) -> npt.NDArray[np.float32]:
    drawn = np.random.default_rng(seed).normal(height, size=(objects, *size))
    return drawn.astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 99),
    st.integers(1, 4),
    st.tuples(st.integers(1, 120), st.integers(1, 120)),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.sampled_from([-4.0, -2.5, 0.0]),
)
def test_it_is_the_best_of_all_logits(
    seed: int, objects: int, size: tuple[int, int], scale: float, height: float
) -> None:
    """For clips that were enlarged or reduced for the network, and for few, many or no pixels."""
    network = max(32, round(size[0] * scale)), max(32, round(size[1] * scale))
    pyramid = Pyramid(size, network, ARCHITECTURE.levels(*network))
    pixels = Pixels(pyramid)
    logits = drawn(seed, objects, pyramid.levels[0].shape[:2], height)
    ids = [3, 7, 20, 254][:objects]
    brought_up = pixels.logits(logits)
    assert brought_up.shape == (objects, *size)
    expected = np.where(brought_up.max(axis=0) > 0, np.array(ids)[brought_up.argmax(axis=0)], 0)
    found = pixels.mask(logits, ids)
    assert found.shape == size and found.dtype == np.uint8
    # Where two logits are the same but for rounding, either is right.
    top = np.sort(np.concatenate([brought_up, np.zeros((1, *size), np.float32)]), axis=0)
    sure = top[-1] - top[-2] > 1e-5
    assert (found == expected)[sure].all()


@pytest.mark.parametrize("row", [0, 5, 23])
def test_a_single_vertex_reaches_its_pixels(row: int) -> None:
    size = (96, 128)
    pyramid = Pyramid(size, size, ARCHITECTURE.levels(*size))
    logits = np.full((1, *pyramid.levels[0].shape[:2]), -1, np.float32)
    logits[0, row, 8] = 3
    mask = Pixels(pyramid).mask(logits, [9])
    y, x = np.nonzero(mask)
    assert y.min() >= 4 * row - 3 and y.max() <= 4 * row + 3 and mask[4 * row, 32] == 9
    assert x.min() == 29 or x.min() == 30
