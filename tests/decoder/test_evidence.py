"""What the decoder reads of each object: at each stride, and of no other."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.decoder.evidence import Evidence
from vostool.decoder.shape import CHANNELS
from vostool.label_propagation.network import margin, with_background
from vostool.layers import halved

STRIDES = (4, 8, 16, 32)


def sizes_of(height: int, width: int) -> list[tuple[int, int]]:
    return [(-(-height // s), -(-width // s)) for s in STRIDES]


def evidence(sizes: list[tuple[int, int]], objects: int, frames: int = 2) -> Evidence:
    generator = torch.Generator().manual_seed(0)

    def drawn(classes: int, size: tuple[int, int]) -> torch.Tensor:
        return torch.randn(frames, classes, *size, generator=generator)

    return Evidence(
        drawn(objects, sizes[0]),
        drawn(objects + 1, sizes[2]).softmax(dim=1),
        (drawn(objects + 1, sizes[0]) > 1.5).float(),
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(1, 3))
def test_every_object_has_all_of_it_at_every_stride(height: int, width: int, objects: int) -> None:
    sizes = sizes_of(height, width)
    every = evidence(sizes, objects).of_objects(sizes)
    assert [tuple(level.shape) for level in every] == [(2, objects, CHANNELS, *s) for s in sizes]


def test_it_is_what_the_readable_words_say() -> None:
    sizes = sizes_of(64, 96)
    given_ = evidence(sizes, 3)
    every = given_.of_objects(sizes)
    for k in range(3):
        finest, _, coarse, coarsest = (level[:, k] for level in every)
        looks = margin(with_background(given_.scores))
        torch.testing.assert_close(finest[:, 0], looks[:, k])
        # Every vertex of the prior is one of the finest grid's.
        prior = finest[:, 1:3, ::4, ::4]
        torch.testing.assert_close(prior[:, 0], margin(given_.prior)[:, k])
        torch.testing.assert_close(prior[:, 1], given_.prior[:, k + 1])
        torch.testing.assert_close(finest[:, 3], given_.scores.amax(dim=1), msg="of any object")
        torch.testing.assert_close(finest[:, 4], given_.strokes[:, k + 1])
        others = [given_.strokes[:, n] for n in range(4) if n != k + 1]
        torch.testing.assert_close(finest[:, 5], torch.stack(others).sum(dim=0))
        torch.testing.assert_close(coarse[:, :4], halved(halved(finest[:, :4])))
        assert coarsest.shape[-2:] == sizes[-1]


def test_a_thin_stroke_keeps_its_height() -> None:
    sizes = sizes_of(64, 96)
    one = Evidence(
        torch.zeros(1, 1, *sizes[0]), torch.zeros(1, 2, *sizes[2]), torch.zeros(1, 2, *sizes[0])
    )
    one.strokes[0, 1, 7, 9], one.strokes[0, 0, 13, 20] = 1, 1
    for level in one.of_objects(sizes):
        level = level[:, 0]
        assert level[:, 4].max() == 1 and level[:, 5].max() == 1
        assert level[:, 4].sum() <= 4, "and no more of the place than it takes"


def test_no_prior_says_nothing() -> None:
    sizes = sizes_of(64, 96)
    none = Evidence(
        torch.ones(1, 2, *sizes[0]), torch.zeros(1, 3, *sizes[2]), torch.zeros(1, 3, *sizes[0])
    )
    for level in none.of_objects(sizes):
        assert not level[:, :, [1, 2, 4, 5]].any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_all_of_it_goes_into_another_arithmetic(dtype: torch.dtype) -> None:
    sizes = sizes_of(32, 32)
    other = evidence(sizes, 1).to(dtype)
    assert {other.scores.dtype, other.prior.dtype, other.strokes.dtype} == {dtype}
