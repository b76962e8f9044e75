"""Simulated strokes mark what is wrong, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.scribbles import BACKGROUND, UNMARKED
from vostool.training.strokes import corrections, midline, strokes_in, zigzag


def disk(size: int, x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size]
    inside: np.ndarray = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
    return inside


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.02, 0.6))
def test_strokes_stay_within_their_region(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.random((9, 12)).repeat(6, 0).repeat(6, 1)
    region = noise < share
    assert not (strokes_in(region, midline, rng) & ~region).any()


def test_every_part_of_some_size_gets_a_stroke_along_its_middle() -> None:
    region = np.zeros((80, 120), bool)
    region[10:20, 5:60], region[40:75, 70:110] = True, True
    lengths = []
    for seed in range(5):
        drawn = strokes_in(region, midline, np.random.default_rng(seed))
        height, width = np.ptp(np.argwhere(drawn[:30]), axis=0)
        assert height < 8 and drawn[40:].any() and drawn.sum() < 0.1 * region.sum()
        lengths.append(width)
    assert max(lengths) > 30, "most are as long as the bar"
    assert min(lengths) < 20, "some run along a part of it"


def test_a_speck_gets_none() -> None:
    region = np.zeros((20, 20), bool)
    region[3:5, 3:5] = True
    for stroke in (midline, zigzag):
        assert not strokes_in(region, stroke, np.random.default_rng(0)).any()
        assert not strokes_in(np.zeros((20, 20), bool), stroke, np.random.default_rng(0)).any()


@pytest.mark.parametrize("seed", range(6))
def test_a_round_marks_what_is_missing_and_what_is_too_much(seed: int) -> None:
    """Whoever draws: the robot's strokes keep to it, a person's slip over its edge."""
    truth, predicted = disk(64, 24, 32, 14) * np.uint8(3), disk(64, 40, 32, 14) * np.uint8(3)
    robot = np.random.default_rng(seed).random() >= 0.5

    def marked(marks: np.ndarray, what: int, where: np.ndarray) -> bool:
        drawn = marks == what
        share = float(where[drawn].mean()) if drawn.any() else 0.0
        return share == 1 if robot else share > 0.6

    first = corrections(truth, None, np.random.default_rng(seed))
    assert set(np.unique(first)) == {UNMARKED, 3} and marked(first, 3, truth == 3)
    later = corrections(truth, predicted, np.random.default_rng(seed))
    assert marked(later, 3, (truth == 3) & (predicted != 3))
    assert marked(later, BACKGROUND, (truth != 3) & (predicted == 3))
    right = corrections(truth, truth, np.random.default_rng(seed))
    assert (right == UNMARKED).all()


def test_each_object_is_marked_with_its_own_id() -> None:
    truth = np.zeros((64, 96), np.uint8)
    truth[10:50, 5:40], truth[10:50, 55:90] = 2, 7
    swapped = np.select([truth == 2, truth == 7], [7, 2]).astype(np.uint8)
    for seed in range(8):
        for before in (None, swapped):
            marks = corrections(truth, before, np.random.default_rng(seed))
            assert set(np.unique(marks)) == {UNMARKED, 2, 7}
            for label in (2, 7):
                assert (truth[marks == label] == label).mean() > 0.8


def test_a_persons_stroke_reaches_from_edge_to_edge() -> None:
    region = disk(96, 48, 48, 40)
    spans = {
        stroke: np.mean(
            [
                np.ptp(np.argwhere(strokes_in(region, stroke, np.random.default_rng(n))), axis=0)
                for n in range(6)
            ]
        )
        for stroke in (midline, zigzag)
    }
    over = [
        (strokes_in(region, zigzag, np.random.default_rng(n)) & ~region).mean() for n in range(20)
    ]
    assert spans[zigzag] > spans[midline]
    assert max(over) > 0 and max(over) < 0.01, "a little over the edge, here and there"


@pytest.mark.parametrize("seed", [0, 1])
def test_chance_decides_them_alone(seed: int) -> None:
    region = disk(64, 30, 30, 20)
    for stroke in (midline, zigzag):
        first, again = (strokes_in(region, stroke, np.random.default_rng(seed)) for _ in range(2))
        assert first.any() and np.array_equal(first, again)
