"""Protects what cleaning changes, and all that it leaves as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from tests.conftest import Vostool
from vostool.cleaning import SPECK, Cleaning
from vostool.errors import UsageError
from vostool.images import Mask, read_mask
from vostool.writers.png import mask_file, write_mask


def cleaned(mask: Mask, how: Cleaning) -> Mask:
    (one,) = how.clean([mask])
    return one


def made_mask() -> Mask:
    """A ring round a smaller object and some background, a speck of each, a part astray."""
    mask = np.zeros((60, 80), np.uint8)
    mask[10:40, 10:40] = 1
    mask[15:35, 15:35] = 0
    mask[20:30, 20:30] = 2
    mask[50, 50] = 1
    mask[12, 12] = 2
    mask[5:20, 60:75] = 1
    return mask


def test_holes_of_one_object_are_filled_but_for_what_is_another() -> None:
    want = made_mask()
    want[15:35, 15:35] = 1
    want[20:30, 20:30] = 2
    np.testing.assert_array_equal(cleaned(made_mask(), Cleaning(fill_holes=True)), want)


def test_what_reaches_the_frames_edge_is_no_hole() -> None:
    mask = np.ones((8, 9), np.uint8)
    mask[0, 4] = mask[4, 8] = mask[7, 0] = 0
    np.testing.assert_array_equal(cleaned(mask, Cleaning(fill_holes=True)), mask)


def test_specks_become_background() -> None:
    want = made_mask()
    want[50, 50] = want[12, 12] = 0
    np.testing.assert_array_equal(cleaned(made_mask(), Cleaning(drop_specks=True)), want)
    want[12, 12] = 1
    both = Cleaning(drop_specks=True, fill_holes=True)
    assert cleaned(made_mask(), both)[12, 12] == 1, "a speck within another object was a hole of it"


def test_the_largest_part_alone_stays() -> None:
    want = made_mask()
    want[50, 50] = want[12, 12] = 0
    want[5:20, 60:75] = 0
    np.testing.assert_array_equal(cleaned(made_mask(), Cleaning(largest=True)), want)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.uint8, (12, 14), elements=st.integers(0, 2)))
def test_parts_and_holes_are_those_of_scipy(mask: Mask) -> None:
    """Of single objects; parts touch at corners, and holes do not."""
    region = (mask == 1).astype(np.uint8)
    filled = cleaned(region, Cleaning(fill_holes=True))
    np.testing.assert_array_equal(filled > 0, ndimage.binary_fill_holes(region))
    parts, _ = ndimage.label(region, np.ones((3, 3)))
    areas = np.bincount(parts.ravel())[1:]
    dropped = cleaned(region, Cleaning(drop_specks=True))
    small = [n for n, area in enumerate(areas, 1) if area < SPECK * region.sum()]
    np.testing.assert_array_equal(dropped > 0, (region > 0) & ~np.isin(parts, small))
    assert cleaned(region, Cleaning(largest=True)).sum() == max(areas, default=0)


def test_a_frame_without_an_object_stays_empty() -> None:
    every = Cleaning(fill_holes=True, drop_specks=True, largest=True, smooth=3)
    assert not any(mask.any() for mask in every.clean([np.zeros((5, 6), np.uint8)] * 4))


def test_a_flicker_goes_and_a_change_stays() -> None:
    """Of five frames a pixel takes the label of three; what is new from a frame on is new there."""
    labels = [1, 1, 0, 1, 2, 2, 1, 2, 2, 0, 0, 0]
    masks = [np.full((2, 3), label, np.uint8) for label in labels]
    smoothed = [int(mask[0, 0]) for mask in Cleaning(smooth=5).clean(masks)]
    assert smoothed == [1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0, 0]
    assert [int(mask[0, 0]) for mask in Cleaning(smooth=7).clean(masks[:2])] == [1, 1]
    assert list(Cleaning(smooth=3).clean([])) == []


def test_without_most_a_pixel_keeps_its_own() -> None:
    masks = [np.full((1, 1), label, np.uint8) for label in (1, 2, 3, 4)]
    assert [int(mask[0, 0]) for mask in Cleaning(smooth=3).clean(masks)] == [1, 2, 3, 4]


def test_no_more_frames_are_held_than_are_looked_at() -> None:
    given = 0

    def masks() -> Iterator[Mask]:
        nonlocal given
        for _ in range(100):
            given += 1
            yield np.zeros((2, 2), np.uint8)

    for number, _ in enumerate(Cleaning(smooth=5).clean(masks()), 1):
        assert given == min(100, number + 2)


@pytest.mark.parametrize("frames", [0, 4])
def test_an_even_number_has_no_middle(frames: int) -> None:
    with pytest.raises(UsageError, match="odd"):
        Cleaning(smooth=frames)


def test_render_and_export_clean_alike(
    square_adapter: Path, tmp_path: Path, vostool: Vostool
) -> None:
    options = ("--fill-holes", "--largest", "--smooth", "3")
    for folder, asked in (("plain", ()), ("clean", options)):
        done = vostool("render", "--adapter", square_adapter, "--out", tmp_path / folder, *asked)
        assert done.status == 0, done.err
    plain = [read_mask(file) for file in sorted((tmp_path / "plain").glob("*.png"))]
    plain[5] = plain[5].copy()
    plain[5][40:44, 40:44], plain[5][2, 2] = 0, 1
    write_mask(mask_file(tmp_path / "plain", 5), plain[5])
    want = np.stack(list(Cleaning(True, False, True, 3).clean(plain)))
    done = vostool("export", "plain", "--as", "numpy", "--out", "a.npy", *options)
    assert done.status == 0, done.err
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), want)
    done = vostool(
        "export", "--adapter", square_adapter, "--as", "numpy", "--out", "b.npy", *options
    )
    assert done.status == 0, done.err
    rendered = np.stack([read_mask(file) for file in sorted((tmp_path / "clean").glob("*.png"))])
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), rendered)
    refused = vostool("export", "plain", "--as", "numpy", "--out", "c.npy", "--smooth", "4")
    assert refused.status != 0 and "odd" in refused.errors[0]
