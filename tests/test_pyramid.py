"""Protects the geometry of features: training and prediction must see the same pixel alike.

Training samples single pixels, prediction scores all of them on small grids and brings the scores
up. Both must be the same bilinear interpolation, at the same half-pixel positions, whatever the
sizes; an error of a fraction of a stride would show as masks that are shifted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.pyramid import Level, Pyramid

Features = list[npt.NDArray[np.float16]]


@dataclass(frozen=True)
class Case:
    """A pyramid with random features of one frame and a random classifier."""

    pyramid: Pyramid
    features: Features
    weights: npt.NDArray[np.float32]

    def every_pixel(self) -> npt.NDArray[np.int_]:
        height, width = self.pyramid.clip_size
        y, x = np.mgrid[:height, :width]
        return np.stack([x.ravel(), y.ravel()], axis=1)


def pyramid_of(
    clip: tuple[int, int], network: tuple[int, int], strides: list[int], channels: list[int]
) -> Pyramid:
    levels = tuple(
        Level(f"s{stride}", stride, (-(-network[0] // stride), -(-network[1] // stride), width))
        for stride, width in zip(strides, channels, strict=True)
    )
    return Pyramid(clip, network, levels)


sides = st.tuples(st.integers(1, 70), st.integers(1, 70))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    strides = sorted(draw(st.sets(st.sampled_from([4, 8, 16, 32]), min_size=1)))
    channels = [draw(st.integers(1, 4)) for _ in strides]
    clip = draw(sides)
    shrunk = st.sampled_from([(max(1, clip[0] // n), max(1, clip[1] // n)) for n in (1, 2, 3)])
    pyramid = pyramid_of(clip, draw(shrunk | sides), strides, channels)
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    features = [random.standard_normal(lv.shape).astype(np.float16) for lv in pyramid.levels]
    weights = random.standard_normal((pyramid.channels, draw(st.integers(1, 3))))
    return Case(pyramid, features, weights.astype(np.float32))


def sample_independently(case: Case) -> npt.NDArray[np.float64]:
    """(H * W, channels) by torch's grid_sample in float64, at u = ((p + 0.5) * scale - 0.5) / s.

    Levels finer than the pyramid's grid are first averaged by torch round the grid's vertices.
    """
    parts = []
    for level, values in zip(case.pyramid.levels, case.features, strict=True):
        grid = torch.from_numpy(values.astype(np.float64)).permute(2, 0, 1)[None]
        if level.stride < case.pyramid.grid.stride:
            r = case.pyramid.grid.stride // level.stride
            level = case.pyramid.grid
            grid = torch.nn.functional.avg_pool2d(grid, 2 * r - 1, r, r - 1, False, False)
        along = []
        for axis in (0, 1):
            length = case.pyramid.clip_size[axis]
            scale = case.pyramid.network_size[axis] / length
            u = ((torch.arange(length, dtype=torch.float64) + 0.5) * scale - 0.5) / level.stride
            along.append(2 * u / max(1, level.shape[axis] - 1) - 1)
        y, x = torch.meshgrid(*along, indexing="ij")
        part = torch.nn.functional.grid_sample(
            grid,
            torch.stack([x, y], dim=-1)[None],
            mode="bilinear",
            padding_mode="border",
            align_corners=True,
        )
        parts.append(part[0].flatten(1).T.numpy())
    return np.concatenate(parts, axis=1)


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_scores_are_the_classifier_on_the_samples(case: Case) -> None:
    height, width = case.pyramid.clip_size
    scores = case.pyramid.scores(case.features, case.pyramid.split(case.weights))
    assert scores.dtype == np.float32
    assert scores.shape == (case.weights.shape[1], height, width)
    sampled = case.pyramid.sample(case.features, case.every_pixel())
    assert sampled.dtype == np.float32
    want = (sampled @ case.weights).T.reshape(scores.shape)
    np.testing.assert_allclose(scores, want, atol=1e-4, rtol=0)


@settings(max_examples=60, deadline=None)
@given(case=cases())
def test_samples_and_scores_are_plain_bilinear_interpolation(case: Case) -> None:
    want = sample_independently(case)
    got = case.pyramid.sample(case.features, case.every_pixel())
    np.testing.assert_allclose(got, want, atol=1e-4, rtol=0)
    scores = case.pyramid.scores(case.features, case.pyramid.split(case.weights))
    want_scores = (want @ case.weights).T.reshape(scores.shape)
    np.testing.assert_allclose(scores, want_scores, atol=1e-4, rtol=0)


@settings(max_examples=30, deadline=None)
@given(case=cases(), value=st.sampled_from([-2.0, 0.0, 1.0, 3.5]))
def test_constant_features_give_constant_scores(case: Case, value: float) -> None:
    features = [np.full_like(grid, value) for grid in case.features]
    scores = case.pyramid.scores(features, case.pyramid.split(case.weights))
    want = np.broadcast_to((value * case.weights.sum(0))[:, None, None], scores.shape)
    np.testing.assert_allclose(scores, want, atol=1e-4, rtol=0)


@settings(max_examples=30, deadline=None)
@given(case=cases())
def test_interpolation_stays_within_the_features(case: Case) -> None:
    sampled = case.pyramid.sample(case.features, case.every_pixel())
    low = np.concatenate([grid.min((0, 1)) for grid in case.features]).astype(np.float32)
    high = np.concatenate([grid.max((0, 1)) for grid in case.features]).astype(np.float32)
    assert (sampled >= low - 1e-5).all()
    assert (sampled <= high + 1e-5).all()


@pytest.mark.parametrize("stride", [4, 8, 16, 32])
def test_vertex_lies_on_the_pixel_that_the_docs_say(stride: int) -> None:
    pyramid = pyramid_of((70, 90), (70, 90), [stride], [3])
    grid = np.random.default_rng(0).standard_normal(pyramid.levels[0].shape).astype(np.float16)
    i, j = np.mgrid[: grid.shape[0], : grid.shape[1]]
    xy = np.stack([j.ravel() * stride, i.ravel() * stride], axis=1)
    np.testing.assert_array_equal(pyramid.sample([grid], xy), grid.reshape(-1, 3))


def test_ramp_over_the_network_is_a_ramp_over_the_clip() -> None:
    pyramid = pyramid_of((40, 80), (20, 40), [4, 8], [1, 1])
    features: Features = [
        np.broadcast_to(np.arange(w)[None, :, None] * level.stride, (h, w, c)).astype(np.float16)
        for level in pyramid.levels
        for h, w, c in [level.shape]
    ]
    x = np.arange(20, 60)  # at the edge, averages are one-sided
    sampled = pyramid.sample(features, np.stack([x, np.full_like(x, 7)], axis=1))
    want = (x + 0.5) / 2 - 0.5  # the network's pixel under each pixel of the clip
    np.testing.assert_allclose(sampled, np.stack([want, want], axis=1), atol=1e-4)


def test_split_cuts_by_level_and_loses_nothing() -> None:
    pyramid = pyramid_of((32, 32), (32, 32), [4, 8, 16], [2, 3, 1])
    weights = np.arange(24.0).reshape(6, 4)
    parts = pyramid.split(weights)
    assert [part.shape for part in parts] == [(2, 4), (3, 4), (1, 4)]
    assert all(part.dtype == np.float32 for part in parts)
    np.testing.assert_array_equal(np.concatenate(parts), weights)
    assert pyramid.channels == 6


def test_no_pixels_give_no_samples() -> None:
    pyramid = pyramid_of((32, 32), (32, 32), [4, 8], [2, 3])
    features: Features = [np.ones(level.shape, np.float16) for level in pyramid.levels]
    assert pyramid.sample(features, np.zeros((0, 2), np.int_)).shape == (0, 5)


@settings(max_examples=30, deadline=None)
@given(sides)
def test_finer_levels_are_averaged_round_a_coarser_levels_vertices(size: tuple[int, int]) -> None:
    """As torch averages, so that what is trained with gradients reads the same."""
    pyramid = pyramid_of(size, size, [4, 8], [3, 2])
    fine = torch.randn(1, 3, *pyramid.levels[0].shape[:2])
    (rows, columns), own = pyramid.onto(pyramid.levels[1])
    found = torch.from_numpy(rows) @ fine @ torch.from_numpy(columns)
    wanted = torch.nn.functional.avg_pool2d(fine, 3, 2, 1, count_include_pad=False)
    torch.testing.assert_close(found, wanted)
    assert all(np.array_equal(matrix, np.eye(len(matrix))) for matrix in own)
