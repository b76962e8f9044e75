"""Where to draw next: the variance in closed form, and choices that do not repeat each other."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.conftest import Vostool
from vostool.adapter.suggestion import COLUMNS, ROWS, Sight, grid, suggest, variance

CHANNELS = 12
RIDGE = 2.0


def samples(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, CHANNELS))


def test_the_variance_is_that_of_a_ridge_fitted_again_and_again() -> None:
    """Fits to labels of noise alone: their scores' spread is what the formula says."""
    x, vertices = samples(40), samples(5, 1)
    gram = x.T @ x
    random = np.random.default_rng(2)
    # Labels of unit noise, and the prior that λ stands for.
    solved = [
        np.linalg.solve(
            gram + RIDGE * np.eye(CHANNELS),
            x.T @ random.normal(size=40) + np.sqrt(RIDGE) * random.normal(size=CHANNELS),
        )
        for _ in range(20_000)
    ]
    spread = (vertices @ np.array(solved).T).var(axis=1)
    factor = np.linalg.inv(np.linalg.cholesky(gram + RIDGE * np.eye(CHANNELS)))
    assert variance(vertices, factor) == pytest.approx(spread, rel=0.05)


def test_a_frame_like_another_is_not_suggested_after_it() -> None:
    """Once one of two alike frames is drawn on, the other teaches less than a third, different."""
    one = samples(ROWS * COLUMNS, 3)
    other = one + 0.01 * samples(ROWS * COLUMNS, 4)
    different = 0.9 * samples(ROWS * COLUMNS, 5) * np.linspace(0, 1, CHANNELS)
    one[:, : CHANNELS // 2], other[:, : CHANNELS // 2] = 0, 0
    different[:, CHANNELS // 2 :] = 0
    sights = [
        Sight(frame, features.astype(np.float32))
        for frame, features in ((4, one), (5, other), (30, different))
    ]
    W = np.zeros((CHANNELS, 2))
    found = suggest(sights, W, np.zeros((CHANNELS, CHANNELS)), RIDGE, 3)
    assert found[0].frame in (4, 5) and found[1].frame == 30
    assert [one.worth for one in found] == sorted((one.worth for one in found), reverse=True)


def test_what_is_known_well_is_worth_less() -> None:
    features = samples(ROWS * COLUMNS, 6).astype(np.float32)
    W, nothing = np.zeros((CHANNELS, 2)), np.zeros((CHANNELS, CHANNELS))
    (before,) = suggest([Sight(0, features)], W, nothing, RIDGE, 1)
    known = features.astype(np.float64)
    (after,) = suggest([Sight(0, features)], W, known.T @ known, RIDGE, 1)
    assert after.worth < before.worth / 10


def test_the_grid_lies_in_the_frame() -> None:
    for size in ((1, 1), (14, 24), (272, 640), (2160, 3840)):
        xy = grid(size)
        assert xy.shape == (ROWS * COLUMNS, 2)
        assert (xy >= 0).all() and (xy < (size[1], size[0])).all()


def test_the_command(vostool: Vostool, square_adapter: object) -> None:
    done = vostool("suggest", "--adapter", "a.h5", "--count", 4, "--json")
    frames = [json.loads(line)["frame"] for line in done.out.splitlines()]
    assert done.status == 0 and len(set(frames)) == 4 and set(frames) <= set(range(12))
    table = vostool("suggest", "square", "--adapter", "a.h5").out.splitlines()
    assert table[0].split() == ["clip", "frame", "worth"] and len(table) == 4
    assert vostool("suggest", "--adapter", "none.h5").status == 1
