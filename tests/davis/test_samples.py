"""A finished sample is read as it was written, or not at all: then it is played again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vostool.davis.samples import COLUMNS, read_sample, write_sample
from vostool.davis.session import Round, SampleRun

MADE_FROM = {"preset": "default", "rounds": 8, "network": {"name": "lite0"}}


class Column(list[float]):
    """A column of the package's report, as far as it is asked."""

    def tolist(self) -> list[float]:
        """Its values."""
        return list(self)


@pytest.fixture
def run() -> SampleRun:
    """What came of a sample."""
    rng = np.random.default_rng(0)
    report: Any = {column: Column(rng.random(6).tolist()) for column in COLUMNS}
    mask = (rng.random((48, 64)) < 0.3).astype(np.uint8)
    rounds = [Round([3], 1.5), Round([3, 4], 2.75)]
    return SampleRun(report, rounds, 3, mask)


def test_a_sample_is_read_as_it_was_written(tmp_path: Path, run: SampleRun) -> None:
    write_sample(tmp_path, MADE_FROM, "bear", 2, 1, run)
    read = read_sample(tmp_path, MADE_FROM, "bear", 2)
    assert read is not None
    assert read.columns == {column: list(run.report[column]) for column in COLUMNS}
    assert read.rounds == run.rounds and read.worst_frame == run.worst_frame
    assert np.array_equal(read.worst_mask, run.worst_mask)
    assert read_sample(tmp_path, MADE_FROM, "bear", 1) is None
    assert read_sample(tmp_path, {**MADE_FROM, "rounds": 3}, "bear", 2) is None


@pytest.mark.parametrize("suffix", [".json", ".png"])
def test_a_flipped_bit_makes_it_unfinished(tmp_path: Path, run: SampleRun, suffix: str) -> None:
    """A score with another digit would otherwise be a score; some digits say the same number."""
    write_sample(tmp_path, MADE_FROM, "bear", 1, 1, run)
    expected, refused = read_sample(tmp_path, MADE_FROM, "bear", 1), 0
    assert expected is not None
    file = tmp_path / f"bear.001{suffix}"
    whole, rng = file.read_bytes(), np.random.default_rng(1)
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        file.write_bytes(damaged)
        found = read_sample(tmp_path, MADE_FROM, "bear", 1)
        refused += found is None
        assert found is None or (found.columns, found.rounds) == (expected.columns, expected.rounds)
    assert refused > 190
    file.write_bytes(whole)
    assert read_sample(tmp_path, MADE_FROM, "bear", 1) is not None


@pytest.mark.parametrize("text", ["", "[]", "3", '{"digest": 1}', "nul", '{"digest": 1e999}'])
def test_what_is_no_sample_is_none(tmp_path: Path, run: SampleRun, text: str) -> None:
    write_sample(tmp_path, MADE_FROM, "bear", 1, 1, run)
    (tmp_path / "bear.001.json").write_text(text)
    assert read_sample(tmp_path, MADE_FROM, "bear", 1) is None
    (tmp_path / "bear.001.json").write_text(json.dumps(MADE_FROM))
    assert read_sample(tmp_path, MADE_FROM, "bear", 1) is None
