"""Protects the reading of Eq. 2 itself, without the reference: what reaches what, and how strongly.

The sweep and the reference could share a misreading, so the layer is held against what Eq. 2 must
mean: a plain map without the kernels, counted paths with them, mirror symmetry, and bounds.
"""

from __future__ import annotations

from math import comb, factorial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vostool.strnn.directions import DIRECTIONS, mirror
from vostool.strnn.model import UNTRAINED_GAIN, RNNConfig, SpatioTemporalRNN

STEP = {"se": (1, 1), "sw": (1, -1), "ne": (-1, 1), "nw": (-1, -1)}
"""Where each direction carries context to: rows, columns; south is down, east is right."""

seeds = st.integers(0, 2**31 - 1)


def random_rnn(config: RNNConfig, seed: int) -> SpatioTemporalRNN:
    generator = torch.Generator().manual_seed(seed)
    rnn = SpatioTemporalRNN(config, generator)
    with torch.no_grad():
        for parameter in rnn.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    return rnn


def counting_rnn(space: float, time: float) -> SpatioTemporalRNN:
    """One hidden unit a direction; y shows h_se, h_sw, h_ne, h_nw in its four channels."""
    rnn = SpatioTemporalRNN(RNNConfig(1, 1, 4))
    with torch.no_grad():
        rnn.U.fill_(1.0)
        rnn.b.zero_()
        rnn.c.zero_()
        rnn.K_space.fill_(space)
        rnn.K_time.fill_(time)
        rnn.V.copy_(torch.eye(4)[:, None, :])
    return rnn


def weight_of_all_paths(rows: int, columns: int, frames: int, space: float, time: float) -> float:
    """What an impulse is worth some steps on: every path weighs a factor a step.

    Of m steps in space, d are diagonal; they can be mixed with the steps in time at will.
    """
    if min(rows, columns, frames) < 0:
        return 0.0
    total = 0.0
    for d in range(min(rows, columns) + 1):
        m = rows + columns - d
        paths = factorial(m) // (factorial(rows - d) * factorial(columns - d) * factorial(d))
        total += paths * comb(m + frames, frames) * space**m * time**frames
    return total


@settings(max_examples=20, deadline=None)
@given(
    seed=seeds,
    shape=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    config=st.builds(RNNConfig, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
)
def test_without_kernels_it_is_a_two_layer_map_of_each_pixel(
    seed: int, shape: tuple[int, int, int], config: RNNConfig
) -> None:
    rnn = random_rnn(config, seed)
    x = torch.randn(*shape, config.in_channels, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        rnn.K_space.zero_()
        rnn.K_time.zero_()
        y, _ = rnn(x)
        want = rnn.c.expand_as(y).clone()
        for d in range(4):
            want += torch.relu(x @ rnn.U[d] + rnn.b[d]) @ rnn.V[d]
    torch.testing.assert_close(y, want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("impulse", [(0, 1, 2), (1, 0, 0), (0, 3, 4), (2, 2, 1)])
def test_impulse_reaches_each_direction_by_its_paths(impulse: tuple[int, int, int]) -> None:
    space, time = 0.3, 0.4
    t0, i0, j0 = impulse
    x = torch.zeros(3, 4, 5, 1)
    x[t0, i0, j0] = 1.0
    with torch.no_grad():
        y, _ = counting_rnn(space, time)(x)
    want = torch.zeros_like(y)
    for d, name in enumerate(DIRECTIONS):
        down, right = STEP[name]
        for t in range(3):
            for i in range(4):
                for j in range(5):
                    want[t, i, j, d] = weight_of_all_paths(
                        (i - i0) * down, (j - j0) * right, t - t0, space, time
                    )
    torch.testing.assert_close(y, want, atol=1e-6, rtol=1e-5)


def test_impulse_reaches_its_quadrant_and_the_future_and_nothing_else() -> None:
    x = torch.zeros(3, 5, 5, 1)
    x[1, 2, 2] = 1.0
    with torch.no_grad():
        reached = counting_rnn(0.5, 0.5)(x)[0] > 0
    quadrant = {
        "se": (slice(2, 5), slice(2, 5)),
        "sw": (slice(2, 5), slice(0, 3)),
        "ne": (slice(0, 3), slice(2, 5)),
        "nw": (slice(0, 3), slice(0, 3)),
    }
    for d, name in enumerate(DIRECTIONS):
        want = torch.zeros(3, 5, 5, dtype=torch.bool)
        want[(slice(1, 3), *quadrant[name])] = True
        assert torch.equal(reached[..., d], want), name


def test_each_kernel_carries_only_its_own_step() -> None:
    x = torch.zeros(2, 3, 3, 1)
    x[0, 1, 1] = 1.0
    with torch.no_grad():
        only_time = counting_rnn(0.0, 0.5)(x)[0]
        only_space = counting_rnn(0.5, 0.0)(x)[0]
    assert only_time[1, 1, 1].tolist() == [0.5] * 4
    assert int((only_time[1] > 0).sum()) == 4
    assert (only_space[1] == 0).all()
    assert (only_space[0] > 0).any()


def test_y_sees_the_whole_frame_at_once() -> None:
    x = torch.zeros(1, 3, 4, 1)
    x[0, 1, 2] = 1.0
    with torch.no_grad():
        y, _ = counting_rnn(0.5, 0.5)(x)
    assert (y.sum(-1) > 0).all()


MIRRORED: list[tuple[int, list[str]]] = [
    (-2, ["sw", "se", "nw", "ne"]),  # the columns: east and west change places
    (-3, ["ne", "nw", "se", "sw"]),  # the rows: south and north change places
]


@pytest.mark.parametrize(("axis", "swapped"), MIRRORED)
def test_mirrored_frames_with_swapped_directions_give_mirrored_y(
    axis: int, swapped: list[str]
) -> None:
    rnn = random_rnn(RNNConfig(2, 3, 2), 7)
    other = SpatioTemporalRNN(rnn.config)
    order = [DIRECTIONS.index(name) for name in swapped]
    x = torch.randn(3, 4, 5, 2, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        for parameter in ("U", "b", "K_space", "V"):
            getattr(other, parameter).copy_(getattr(rnn, parameter)[order])
        for parameter in ("K_time", "c"):
            getattr(other, parameter).copy_(getattr(rnn, parameter))
        want = rnn(x)[0].flip(axis)
        got = other(x.flip(axis))[0]
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


def test_mirror_is_its_own_inverse_and_moves_each_direction() -> None:
    planes = torch.arange(4 * 2 * 3 * 2.0).reshape(4, 2, 3, 2)
    assert torch.equal(mirror(mirror(planes)), planes)
    mirrored = mirror(planes)
    assert torch.equal(mirrored[0], planes[0])
    assert torch.equal(mirrored[1, 0, 0], planes[1, 0, -1])  # south-west starts north-east
    assert torch.equal(mirrored[2, 0, 0], planes[2, -1, 0])
    assert torch.equal(mirrored[3, 0, 0], planes[3, -1, -1])


def largest_norm(h: Tensor) -> float:
    return float(h.norm(dim=-1).max())


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (4, 5)])
def test_untrained_state_stays_bounded_over_200_frames(size: tuple[int, int]) -> None:
    rnn = SpatioTemporalRNN(RNNConfig(3, 4, 2), torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    state, norms, driven = None, [], 0.0
    with torch.no_grad():
        for _ in range(10):
            x = torch.randn(20, *size, 3, generator=generator)
            driven = max(driven, largest_norm(torch.einsum("thwn,dnc->dthwc", x, rnn.U)))
            y, state = rnn(x, state)
            assert torch.isfinite(y).all()
            norms.append(largest_norm(state))
    # relu shrinks, and four predecessors pass on the gain each: a geometric series bounds h
    assert max(norms) <= driven / (1 - 4 * UNTRAINED_GAIN)
    assert norms[-1] > 0


def test_untrained_kernels_have_the_gain_that_is_told() -> None:
    rnn = SpatioTemporalRNN(RNNConfig(3, 5, 2), torch.Generator().manual_seed(0))
    for kernel in (*rnn.K_space, rnn.K_time):
        norm = float(torch.linalg.matrix_norm(kernel.detach(), 2))
        assert norm == pytest.approx(UNTRAINED_GAIN, rel=1e-4)


def test_same_seed_gives_the_same_layer() -> None:
    config = RNNConfig(3, 4, 2)
    a, b, c = (
        SpatioTemporalRNN(config, torch.Generator().manual_seed(seed)).state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


def test_no_state_is_the_initial_state() -> None:
    rnn = random_rnn(RNNConfig(2, 3, 2), 0)
    x = torch.randn(2, 3, 4, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y, state = rnn(x)
        same, same_state = rnn(x, rnn.initial_state(3, 4))
    torch.testing.assert_close(same, y)
    torch.testing.assert_close(same_state, state)


def test_config_goes_through_a_dictionary() -> None:
    config = RNNConfig(2, 3, 4)
    assert config.as_dict() == {"in_channels": 2, "hidden_channels": 3, "out_channels": 4}
    assert RNNConfig(**config.as_dict()) == config
