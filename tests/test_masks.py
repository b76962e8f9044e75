"""Protects what masks look like: the palette that everyone expects, overlays that show them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from vostool.masks import argmax_mask, davis_palette, overlay

VOC = {
    0: (0, 0, 0),
    1: (128, 0, 0),
    2: (0, 128, 0),
    3: (128, 128, 0),
    4: (0, 0, 128),
    5: (128, 0, 128),
    6: (0, 128, 128),
    7: (128, 128, 128),
    8: (64, 0, 0),
    9: (192, 0, 0),
    15: (192, 128, 128),
    20: (0, 64, 128),
    255: (224, 224, 192),
}

masks = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=17), elements=st.integers(0, 255)
)


def an_object(size: tuple[int, int] = (20, 20)) -> npt.NDArray[np.uint8]:
    mask = np.zeros(size, np.uint8)
    mask[5:15, 5:15] = 1
    return mask


@pytest.mark.parametrize(("index", "colour"), VOC.items())
def test_palette_is_that_of_voc_and_davis(index: int, colour: tuple[int, int, int]) -> None:
    assert tuple(davis_palette()[index].tolist()) == colour


def test_palette_has_256_different_colours() -> None:
    palette = davis_palette()
    assert palette.shape == (256, 3)
    assert palette.dtype == np.uint8
    assert len(np.unique(palette, axis=0)) == 256


@settings(max_examples=30, deadline=None)
@given(mask=masks, opacity=st.floats(0, 1))
def test_overlay_keeps_shape_and_type(mask: npt.NDArray[np.uint8], opacity: float) -> None:
    frame = np.full((*mask.shape, 3), 100, np.uint8)
    shown = overlay(frame, mask, opacity)
    assert shown.shape == frame.shape
    assert shown.dtype == np.uint8
    assert (frame == 100).all()


def test_overlay_blends_inside_outlines_and_leaves_the_rest() -> None:
    frame = np.full((20, 20, 3), 100, np.uint8)
    shown = overlay(frame, an_object(), 0.5)
    assert shown[10, 10].tolist() == [114, 50, 50]  # half of (100, 100, 100) and of (128, 0, 0)
    assert shown[5, 10].tolist() == [255, 255, 255]
    np.testing.assert_array_equal(shown[:3], frame[:3])
    np.testing.assert_array_equal(shown[:, 17:], frame[:, 17:])


def test_overlay_of_nothing_is_the_frame() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(overlay(frame, np.zeros((6, 7), np.uint8)), frame)


def test_a_pixel_is_its_best_objects_and_background_where_none_is_above_zero() -> None:
    scores = np.array([[[1.0, -1.0, 2.0, 0.0]], [[0.5, -2.0, 3.0, 0.0]]], np.float32)
    mask = argmax_mask(scores, (4, 9))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, [[4, 0, 9, 0]])
