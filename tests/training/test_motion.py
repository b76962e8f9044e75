"""Photos in motion: labels stay with what they label, and a seed decides everything."""

from __future__ import annotations

import numpy as np
import pytest

from vostool.training.motion import (
    BACKGROUND,
    CONTROLS,
    Path,
    Range,
    moving_photo,
    thin_plate,
    without_object,
)

SIZE = (90, 130)
STILL = Range(0.0, 0.0, 0.0, 0.0, 0.0)


def photo(colour: tuple[int, int, int] = (230, 20, 20)) -> tuple[np.ndarray, np.ndarray]:
    """A disk of one colour on a blue slope."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    mask = ((rows - 45) ** 2 + (columns - 60) ** 2 < 25**2).astype(np.uint8)
    image = np.zeros((*SIZE, 3), np.uint8)
    image[..., 2] = 100 + columns
    image[mask == 1] = colour
    return image, mask


def test_a_thin_plate_goes_through_its_control_points() -> None:
    rng = np.random.default_rng(0)
    controls, displacements = rng.random((9, 2)), rng.normal(size=(9, 2))
    np.testing.assert_allclose(
        thin_plate(controls, displacements, controls), displacements, atol=1e-9
    )


def test_a_thin_plate_that_moves_as_one_does_not_bend() -> None:
    rng = np.random.default_rng(0)
    controls, points = rng.random((9, 2)), rng.random((4, 5, 2))
    linear, shift = rng.normal(size=(2, 2)), rng.normal(size=2)
    found = thin_plate(controls, controls @ linear + shift, points)
    np.testing.assert_allclose(found, points @ linear + shift, atol=1e-9)


def test_a_still_path_leaves_every_pixel_where_it_is() -> None:
    where = Path.random(STILL, np.random.default_rng(0)).sources(0.7, SIZE)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    np.testing.assert_allclose(where, np.stack([columns, rows], axis=-1), atol=1e-3)


def test_a_path_shifts_by_widths_and_heights() -> None:
    shift = np.array([0.1, -0.2, 0.0, 0.0, 0.0])
    path = Path(np.zeros(5), shift, np.zeros((CONTROLS**2, 2)))
    where = path.sources(1.0, SIZE)
    assert where[40, 50] == pytest.approx((50 - 0.1 * SIZE[1], 40 + 0.2 * SIZE[0]), abs=1e-2)
    np.testing.assert_allclose(path.sources(0.0, SIZE)[40, 50], (50, 40), atol=1e-3)


def test_labels_stay_with_their_objects() -> None:
    image, mask = photo()
    green = photo((20, 230, 20))
    seen = 0
    for seed in range(6):
        images, masks = moving_photo(image, mask, [green], 4, np.random.default_rng(seed))
        assert images.shape == (4, *SIZE, 3) and masks.shape == (4, *SIZE)
        for frame, labels in zip(images.astype(int), masks, strict=True):
            red, leaf, blue = frame[..., 0], frame[..., 1], frame[..., 2]
            inner = np.zeros(SIZE, bool)
            inner[2:-2, 2:-2] = True
            is_red, is_green = (red > leaf + 60) & inner, (leaf > red + 60) & inner
            assert (labels[is_red & (blue < 60)] == 1).mean() > 0.95 if is_red.any() else True
            assert (labels[is_green & (blue < 60)] == 2).mean() > 0.95 if is_green.any() else True
            seen += bool((labels == 1).any() and (labels == 2).any())
    assert seen > 6


def test_the_object_moves_and_a_seed_decides_how() -> None:
    image, mask = photo()
    (images, masks), (again, _) = (
        moving_photo(image, mask, [], 5, np.random.default_rng(3)) for _ in "12"
    )
    other, _ = moving_photo(image, mask, [], 5, np.random.default_rng(4))
    np.testing.assert_array_equal(images, again)
    assert (images != other).any()
    middles = [np.argwhere(labels == 1).mean(axis=0) for labels in masks]
    steps = np.diff(middles, axis=0)
    assert np.abs(steps).max() > 0.5, "it moves"
    assert np.abs(steps - steps.mean(axis=0)).max() < 3, "evenly"


def test_the_object_is_painted_over_by_what_is_round_it() -> None:
    image, mask = photo()
    behind = without_object(image, mask).astype(int)
    assert (behind[mask == 0] == image[mask == 0])[..., 2].mean() > 0.8
    assert behind[mask == 1][:, 0].max() < 30, "no red is left"
    assert behind[45, 60, 2] == pytest.approx(160, abs=30), "blue, as round it"


def test_an_object_that_fills_the_frame_can_be_painted_over() -> None:
    image, _ = photo()
    behind = without_object(image, np.ones(SIZE, np.uint8))
    assert behind.shape == image.shape
    assert BACKGROUND.shift < 0.1
