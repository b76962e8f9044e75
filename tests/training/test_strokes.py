"""Simulated strokes mark what is wrong, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.scribbles import BACKGROUND, UNMARKED
from vostool.training.strokes import corrections, strokes_in


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
    assert not (strokes_in(region, rng) & ~region).any()


def test_every_part_of_some_size_gets_a_stroke_along_its_middle() -> None:
    region = np.zeros((80, 120), bool)
    region[10:20, 5:60], region[40:75, 70:110] = True, True
    lengths = []
    for seed in range(5):
        drawn = strokes_in(region, np.random.default_rng(seed))
        height, width = np.ptp(np.argwhere(drawn[:30]), axis=0)
        assert height < 8 and drawn[40:].any() and drawn.sum() < 0.1 * region.sum()
        lengths.append(width)
    assert max(lengths) > 30, "most are as long as the bar"
    assert min(lengths) < 20, "some run along a part of it"


def test_a_speck_gets_none() -> None:
    region = np.zeros((20, 20), bool)
    region[3:5, 3:5] = True
    assert not strokes_in(region, np.random.default_rng(0)).any()
    assert not strokes_in(np.zeros((20, 20), bool), np.random.default_rng(0)).any()


def test_a_round_marks_what_is_missing_and_what_is_too_much() -> None:
    truth, predicted = disk(64, 24, 32, 14), disk(64, 40, 32, 14)
    first = corrections(truth, None, np.random.default_rng(0))
    assert set(np.unique(first)) == {UNMARKED, 1} and truth[first == 1].all()
    later = corrections(truth, predicted, np.random.default_rng(0))
    assert (truth & ~predicted)[later == 1].all() and (later == 1).any()
    assert (predicted & ~truth)[later == BACKGROUND].all() and (later == BACKGROUND).any()
    right = corrections(truth, truth, np.random.default_rng(0))
    assert (right == UNMARKED).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_chance_decides_them_alone(seed: int) -> None:
    region = disk(64, 30, 30, 20)
    first, again = (strokes_in(region, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first, again)
