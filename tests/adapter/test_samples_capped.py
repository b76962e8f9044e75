"""Protects the memory of a machine from areas filled with a brush, and the samples of strokes."""

from __future__ import annotations

import numpy as np
import pytest

from vostool.adapter import Samples, sample_round, sampling
from vostool.adapter.sampling import MOST_A_CLASS
from vostool.presets import PRESETS
from vostool.scribbles import UNMARKED, StrokeMap

PAPER = PRESETS["paper"]


def filled(size: tuple[int, int] = (240, 320)) -> StrokeMap:
    """Object 1 over a third, background strokes over a third, object 2 as a line."""
    marks = np.full(size, UNMARKED, np.int16)
    third = size[1] // 3
    marks[:, :third], marks[:, -third:] = 1, 0
    marks[size[0] // 2, third + 5 : -third - 5] = 2
    return marks


def sampled(marks: StrokeMap, seed: int = 3, earlier: Samples | None = None) -> Samples:
    return sample_round({4: marks}, {}, earlier or Samples.empty(), PAPER, seed)


def test_a_class_has_no_more_samples_than_the_cap() -> None:
    marks = filled()
    assert (marks == 1).sum() > MOST_A_CLASS
    samples = sampled(marks)
    counts = {i: int((samples.object_id == i).sum()) for i in (0, 1, 2)}
    line = int((marks == 2).sum())
    assert counts == {0: MOST_A_CLASS + line, 1: MOST_A_CLASS, 2: line}
    objects = samples.object_id != 0
    assert (marks[samples.y, samples.x] == samples.object_id)[objects].all()
    assert len(set(zip(samples.x.tolist(), samples.y.tolist(), strict=True))) == len(samples)


def test_the_choice_is_spread_and_is_the_seeds() -> None:
    marks = filled()
    first, again, other = sampled(marks), sampled(marks), sampled(marks, seed=4)
    assert all(
        (a == b).all()
        for a, b in zip(first.columns().values(), again.columns().values(), strict=True)
    )
    assert (first.y != other.y).any()
    ones = first.select(first.object_id == 1)
    assert np.ptp(ones.y) > 0.95 * marks.shape[0] and abs(ones.y.mean() - 120) < 3


def test_strokes_below_the_cap_are_what_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = np.full((240, 320), UNMARKED, np.int16)
    marks[60:70, 40:200], marks[200, 10:300] = 1, 0
    now = sampled(marks)
    monkeypatch.setattr(sampling, "_capped", lambda scribbled, random: scribbled)
    for before, after in zip(
        sampled(marks).columns().values(), now.columns().values(), strict=True
    ):
        assert before.tolist() == after.tolist()
