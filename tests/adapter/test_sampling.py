"""Which pixels become samples: §2.3 to the letter in the preset ``paper``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vostool.adapter import Samples, sample_round
from vostool.adapter.sampling import grown_box
from vostool.presets import PRESETS
from vostool.scribbles import UNMARKED, StrokeMap

PAPER = PRESETS["paper"]


def blank(height: int = 40, width: int = 60) -> StrokeMap:
    return np.full((height, width), UNMARKED, np.int16)


def with_stroke() -> StrokeMap:
    marks = blank()
    marks[10:20, 15] = 1
    return marks


def test_a_box_grows_by_a_fifth_about_its_middle() -> None:
    marked = np.zeros((100, 100), bool)
    marked[40:50, 20:40] = True
    assert grown_box(marked, 1.2) == (slice(39, 51), slice(18, 42))
    assert grown_box(marked, 1.0) == (slice(40, 50), slice(20, 40))


def test_a_box_stays_in_the_frame() -> None:
    marked = np.ones((10, 10), bool)
    assert grown_box(marked, 1.2) == (slice(0, 10), slice(0, 10))


def test_positives_are_the_stroke_and_negatives_are_as_many() -> None:
    samples = sample_round({3: with_stroke()}, {}, Samples.empty(), PAPER, 0)
    assert samples.counts() == (10, 10)
    positive = samples.object_id == 1
    assert set(samples.x[positive]) == {15} and set(samples.y[positive]) == set(range(10, 20))
    assert set(samples.frame) == {3} and set(samples.round) == {1}


def test_negatives_lie_outside_every_box() -> None:
    marks = with_stroke()
    marks[30:35, 40:50] = 2
    samples = sample_round({0: marks}, {}, Samples.empty(), PAPER, 0)
    negative = samples.object_id == 0
    for object_id in (1, 2):
        rows, columns = grown_box(marks == object_id, 1.2)
        inside = (
            (samples.y >= rows.start)
            & (samples.y < rows.stop)
            & (samples.x >= columns.start)
            & (samples.x < columns.stop)
        )
        assert not (inside & negative).any()


def test_later_negatives_are_predicted_background() -> None:
    first = sample_round({0: with_stroke()}, {}, Samples.empty(), PAPER, 0)
    predicted = np.ones((40, 60), np.uint8)
    predicted[:, 50:] = 0
    second = sample_round({5: with_stroke()}, {5: predicted}, first, PAPER, 0)
    assert second.counts() == (10, 10)
    assert (second.x[second.object_id == 0] >= 50).all()
    assert set(second.round) == {2}


def test_background_strokes_count_among_the_negatives() -> None:
    marks = with_stroke()
    marks[35, 40:46] = 0
    samples = sample_round({0: marks}, {}, Samples.empty(), PAPER, 0)
    assert samples.counts() == (10, 10)
    scribbled = (samples.object_id == 0) & (samples.y == 35)
    assert scribbled.sum() >= 6


def test_the_seed_decides_and_nothing_else() -> None:
    def drawn(seed: int) -> list[tuple[int, int]]:
        samples = sample_round({0: with_stroke()}, {}, Samples.empty(), PAPER, seed)
        return [tuple(row) for row in samples.xy]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_boxes_that_cover_the_frame_leave_what_is_furthest() -> None:
    marks = blank()
    marks[0, :] = 1
    marks[:, 0] = 1
    marks[-1, -1] = 1
    samples = sample_round({0: marks}, {}, Samples.empty(), PAPER, 0)
    negative = samples.object_id == 0
    assert negative.any()
    assert (samples.x[negative] > 5).all() and (samples.y[negative] > 5).all()


@given(
    hnp.arrays(
        np.int16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-1, 3)
    ),
    st.sampled_from(sorted(PRESETS)),
)
def test_any_stroke_map_gives_its_strokes_and_background_off_them(
    marks: StrokeMap, preset: str
) -> None:
    samples = sample_round({0: marks}, {}, Samples.empty(), PRESETS[preset], 0)
    labels = marks[samples.y, samples.x]
    assert ((labels == samples.object_id) | ((labels == UNMARKED) & (samples.object_id == 0))).all()
    assert (samples.object_id > 0).sum() == (marks > 0).sum()
    assert len(np.unique(samples.xy, axis=0)) == len(samples)


def mask_with_stroke_inside_its_boundary(depth: int) -> tuple[StrokeMap, npt.NDArray[np.uint8]]:
    """A mask of rows 0..19, and a background stroke that many pixels above its lower end."""
    mask = np.zeros((40, 60), np.uint8)
    mask[:20] = 1
    marks = blank()
    marks[20 - depth, 10:30] = 0
    return marks, mask


def test_corrections_along_the_boundary_are_no_samples() -> None:
    preset = PRESETS["default"]
    first = sample_round({0: with_stroke()}, {}, Samples.empty(), preset, 0)
    for depth, taken in ((1, 0), (5, 0), (6, 20), (12, 20)):
        marks, mask = mask_with_stroke_inside_its_boundary(depth)
        samples = sample_round({3: marks}, {3: mask}, first, preset, 0)
        assert samples.counts() == (0, taken), depth
        assert sample_round({3: marks}, {3: mask}, first, PAPER, 0).counts() == (0, 20)


def test_the_boundary_margin_counts_in_the_networks_pixels() -> None:
    preset = PRESETS["default"]
    first = sample_round({0: with_stroke()}, {}, Samples.empty(), preset, 0)
    marks, mask = mask_with_stroke_inside_its_boundary(10)
    assert sample_round({3: marks}, {3: mask}, first, preset, 0, scale=1.5).counts() == (0, 20)
    assert sample_round({3: marks}, {3: mask}, first, preset, 0, scale=2.0).counts() == (0, 0)


def test_strokes_that_confirm_the_mask_and_new_objects_are_always_samples() -> None:
    preset = PRESETS["default"]
    first = sample_round({0: with_stroke()}, {}, Samples.empty(), preset, 0)
    marks, mask = mask_with_stroke_inside_its_boundary(1)
    marks[marks == 0] = 1
    assert sample_round({3: marks}, {3: mask}, first, preset, 0).counts()[0] == 20
    marks[marks == 1] = 2
    assert sample_round({3: marks}, {3: mask}, first, preset, 0).counts()[0] == 20
