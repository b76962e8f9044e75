"""J and F are the official ones, whatever the masks."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from vostool.davis import metrics

Labels = NDArray[np.uint8]


def assert_official(
    davisinteractive: ModuleType,
    truth: Labels,
    predicted: Labels,
    object_count: int,
    bound_th: float = 0.008,
) -> None:
    """Our J and F of objects 1 to K are the official ones."""
    ids = range(1, object_count + 1)
    official = davisinteractive.metrics
    each = {"average_over_objects": False, "nb_objects": object_count}
    np.testing.assert_allclose(
        metrics.jaccard(truth, predicted, ids),
        official.batched_jaccard(truth, predicted, **each),
        rtol=0,
        atol=1e-9,
    )
    np.testing.assert_allclose(
        metrics.f_measure(truth, predicted, ids, bound_th),
        official.batched_f_measure(truth, predicted, bound_th=bound_th, **each),
        rtol=0,
        atol=1e-9,
    )


def blobs(seed: int, height: int, width: int, frames: int, object_count: int) -> Labels:
    """(T, H, W) labels of ellipses at random places; some leave the frame or hide each other."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    labels = np.zeros((frames, height, width), np.uint8)
    for frame in labels:
        for object_id in range(1, object_count + 1):
            row, column = random.uniform(0, (height, width))
            tall, wide = random.uniform(0, (height / 2, width / 2)) + 0.1
            frame[((rows - row) / tall) ** 2 + ((columns - column) / wide) ** 2 < 1] = object_id
    return labels


@st.composite
def label_map_pairs(draw: st.DrawFn) -> tuple[Labels, Labels]:
    """Two (T, H, W) label maps of noise, rectangles, nothing or one object everywhere."""
    frames, height, width = draw(st.tuples(*(st.integers(1, n) for n in (3, 23, 31))))

    def frame() -> Labels:
        labels = np.zeros((height, width), np.uint8)
        kind = draw(st.sampled_from(("empty", "full", "pixel", "rectangles", "noise")))
        if kind == "full":
            labels[:] = draw(st.integers(1, 4))
        elif kind == "pixel":
            row, column = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
            labels[row, column] = draw(st.integers(1, 4))
        elif kind == "rectangles":
            for object_id in draw(st.permutations((1, 2, 3, 4))):
                top, bottom = sorted(draw(st.integers(0, height)) for _ in range(2))
                left, right = sorted(draw(st.integers(0, width)) for _ in range(2))
                labels[top:bottom, left:right] = object_id
        elif kind == "noise":
            labels = draw(arrays(np.uint8, (height, width), elements=st.sampled_from((0, 1, 255))))
        return labels

    truth, predicted = (np.stack([frame() for _ in range(frames)]) for _ in range(2))
    return truth, predicted


@settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    pair=label_map_pairs(),
    object_count=st.integers(1, 5),
    bound_th=st.sampled_from((0.008, 0.0, 0.1, 1, 1.5, 3, 40)),
)
def test_small_maps_score_officially(
    davisinteractive: ModuleType, pair: tuple[Labels, Labels], object_count: int, bound_th: float
) -> None:
    assert_official(davisinteractive, *pair, object_count, bound_th)


@pytest.mark.parametrize("object_count", [1, 2, 5])
@pytest.mark.parametrize("size", [(480, 854), (480, 910), (97, 51), (1, 40), (40, 1)])
def test_random_blobs_score_officially(
    davisinteractive: ModuleType, size: tuple[int, int], object_count: int
) -> None:
    truth = blobs(1, *size, frames=3, object_count=object_count)
    predicted = blobs(2, *size, frames=3, object_count=object_count)
    assert_official(davisinteractive, truth, predicted, object_count)


def test_masks_that_nearly_agree_score_officially(davisinteractive: ModuleType) -> None:
    truth = blobs(3, 480, 854, frames=4, object_count=2)
    for shift in (0, 1, 5, 9):
        assert_official(davisinteractive, truth, np.roll(truth, shift, (1, 2)), object_count=2)


def test_maps_that_are_views_of_others_score_officially(davisinteractive: ModuleType) -> None:
    truth = blobs(4, 60, 90, frames=2, object_count=3).transpose(0, 2, 1)
    predicted = blobs(5, 180, 120, frames=2, object_count=3)[:, ::2, ::-2]
    assert_official(davisinteractive, truth, predicted, object_count=3)


def test_any_object_ids_can_be_asked_for() -> None:
    truth = blobs(6, 50, 60, frames=3, object_count=4)
    predicted = blobs(7, 50, 60, frames=3, object_count=4)
    for score in (metrics.jaccard, metrics.f_measure):
        every = score(truth, predicted, (1, 2, 3, 4))
        np.testing.assert_array_equal(score(truth, predicted, (4, 2)), every[:, [3, 1]])
        assert score(truth, predicted, ()).shape == (3, 0)
        assert score(truth[:0], predicted[:0], (1, 2)).shape == (0, 2)


def test_empty_masks_agree_with_each_other_and_with_nothing_else() -> None:
    nothing = np.zeros((1, 20, 30), np.uint8)
    something = nothing.copy()
    something[0, 5:9, 6:8] = 1
    for score in (metrics.jaccard, metrics.f_measure):
        assert score(nothing, nothing, (1,)) == 1
        assert score(something, something, (1,)) == 1
        assert score(nothing, something, (1,)) == 0
        assert score(something, nothing, (1,)) == 0


def test_the_boundary_lies_left_and_above_and_not_on_the_frames_edge() -> None:
    mask = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]], np.uint8)
    outline = [[0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(metrics.boundary(mask), outline)
    assert not metrics.boundary(np.ones((4, 5), np.uint8)).any()


def test_maps_of_different_shapes_are_refused() -> None:
    for score in (metrics.jaccard, metrics.f_measure):
        with pytest.raises(ValueError, match="should both be"):
            score(np.zeros((1, 4, 5), np.uint8), np.zeros((1, 5, 4), np.uint8), (1,))
        with pytest.raises(ValueError, match="should both be"):
            score(np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8), (1,))
