"""A region holds its object, and its levels fit together as a whole frame's do."""

from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.decoder.network import doubled, halved
from vostool.mask_propagation.roi import ROI, SMALLEST, roi_around
from vostool.pyramid import Level, Pyramid

STRIDES = (4, 8, 16, 32)


def pyramid(height: int, width: int) -> Pyramid:
    levels = tuple(Level(f"s{s}", s, (-(-height // s), -(-width // s), 3)) for s in STRIDES)
    return Pyramid((height, width), (height, width), levels)


@st.composite
def objects(draw: st.DrawFn) -> tuple[Pyramid, torch.Tensor, tuple[slice, slice]]:
    """A clip's geometry, and an object's box in it at the finest stride."""
    geometry = pyramid(draw(st.integers(40, 500)), draw(st.integers(40, 900)))
    height, width, _ = geometry.levels[0].shape
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    box = (
        slice(top, draw(st.integers(top + 1, height))),
        slice(left, draw(st.integers(left + 1, width))),
    )
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[box] = True
    return geometry, mask, box


def cuts(geometry: Pyramid, roi: ROI) -> list[torch.Tensor]:
    return [
        roi.cut(torch.arange(lv.shape[0] * lv.shape[1]).view(lv.shape[:2]), geometry, n)
        for n, lv in enumerate(geometry.levels)
    ]


@settings(deadline=None)
@given(objects())
def test_it_holds_the_object(case: tuple[Pyramid, torch.Tensor, tuple[slice, slice]]) -> None:
    geometry, mask, _ = case
    roi = roi_around(mask, geometry)
    assert roi is not None
    inside = roi.cut(mask, geometry)
    assert inside.sum() == mask.sum()
    for count, whole in zip((roi.height, roi.width), geometry.levels[-1].shape, strict=False):
        assert count == whole or (count % 2 == 0 and SMALLEST <= count < whole)


@settings(deadline=None)
@given(objects())
def test_its_levels_are_each_half_the_finer(
    case: tuple[Pyramid, torch.Tensor, tuple[slice, slice]],
) -> None:
    """The network brings each level to the next by these two, and adds them up."""
    geometry, mask, _ = case
    roi = roi_around(mask, geometry)
    assert roi is not None
    parts = cuts(geometry, roi)
    assert parts[-1].shape == (roi.height, roi.width)
    for finer, coarser in pairwise(parts):
        assert halved(finer[None, None].float()).shape[2:] == coarser.shape
        assert doubled(coarser[None, None].float(), finer.shape).shape[2:] == finer.shape


@settings(deadline=None)
@given(objects())
def test_it_begins_at_a_vertex_of_every_level(
    case: tuple[Pyramid, torch.Tensor, tuple[slice, slice]],
) -> None:
    geometry, mask, _ = case
    roi = roi_around(mask, geometry)
    assert roi is not None
    for n, (level, part) in enumerate(zip(geometry.levels, cuts(geometry, roi), strict=True)):
        row, column = roi.top << (3 - n), roi.left << (3 - n)
        assert part[0, 0] == row * level.shape[1] + column


@settings(deadline=None)
@given(objects(), st.integers(1, 30), st.integers(1, 30))
def test_another_size_stays_within_the_frame(
    case: tuple[Pyramid, torch.Tensor, tuple[slice, slice]], height: int, width: int
) -> None:
    geometry, mask, _ = case
    whole = geometry.levels[-1].shape[0], geometry.levels[-1].shape[1]
    height, width = min(height, whole[0]), min(width, whole[1])
    roi = roi_around(mask, geometry)
    assert roi is not None
    other = roi.as_large_as(ROI(0, 0, height, width), geometry)
    assert (other.height, other.width) == (height, width)
    assert 0 <= other.top <= whole[0] - height and 0 <= other.left <= whole[1] - width


def test_an_empty_mask_has_none_and_a_full_one_the_frame() -> None:
    geometry = pyramid(480, 854)
    empty = torch.zeros(120, 214, dtype=torch.bool)
    assert roi_around(empty, geometry) is None
    assert roi_around(~empty, geometry) == ROI(0, 0, 15, 27)
    empty[60:64, 100:104] = True
    small = roi_around(empty, geometry)
    assert small is not None and (small.height, small.width) == (SMALLEST, SMALLEST)
