"""Eq. 3 is solved as written, whatever the order in which samples came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vostool.adapter import SufficientStatistics, solve
from vostool.errors import AdapterError


def some(seed: int, samples: int, channels: int, objects: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(objects + 1), rng.integers(0, objects + 1, samples)])
    return rng.normal(size=(len(labels), channels)), labels


def least_squares(x: np.ndarray, labels: np.ndarray, ridge: float) -> np.ndarray:
    """Eq. 3 as one over-determined system, solved by another method."""
    classes = np.unique(labels)
    y = (labels[:, None] == classes).astype(float)
    a = np.concatenate([x, ridge**0.5 * np.eye(x.shape[1])])
    b = np.concatenate([y, np.zeros((x.shape[1], len(classes)))])
    solution: np.ndarray = np.linalg.lstsq(a, b, rcond=None)[0]
    return solution


@given(st.integers(0, 99), st.integers(0, 40), st.integers(1, 12), st.integers(1, 4))
def test_the_solution_is_that_of_least_squares(
    seed: int, samples: int, channels: int, objects: int
) -> None:
    x, labels = some(seed, samples, channels, objects)
    W = solve(SufficientStatistics.of(x, labels), 0.1)
    np.testing.assert_allclose(W, least_squares(x, labels, 0.1), atol=1e-8)


@given(st.integers(0, 99), st.integers(1, 40))
def test_rounds_add_up(seed: int, cut: int) -> None:
    x, labels = some(seed, 40, 5, 3)
    whole = SufficientStatistics.of(x, labels)
    parts = SufficientStatistics.of(x[:cut], labels[:cut]) + SufficientStatistics.of(
        x[cut:], labels[cut:]
    )
    assert parts.object_ids == whole.object_ids
    np.testing.assert_allclose(parts.gram, whole.gram, atol=1e-10)
    np.testing.assert_allclose(parts.sums, whole.sums, atol=1e-10)
    np.testing.assert_array_equal(parts.counts, whole.counts)


def test_an_object_that_comes_later_keeps_the_columns_in_order_of_id() -> None:
    x, labels = some(0, 20, 4, 1)
    statistics = SufficientStatistics.of(x, labels * 7) + SufficientStatistics.of(x, labels * 3)
    assert statistics.object_ids == (0, 3, 7)
    assert solve(statistics, 0.1).shape == (4, 3)


def test_background_alone_tells_nothing_apart() -> None:
    with pytest.raises(AdapterError, match="no object"):
        solve(SufficientStatistics.of(np.ones((2, 3)), np.zeros(2, int)), 0.1)


def test_objects_alone_tell_nothing_apart() -> None:
    with pytest.raises(AdapterError, match="background"):
        solve(SufficientStatistics.of(np.ones((2, 3)), np.ones(2, int)), 0.1)
