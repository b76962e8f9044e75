"""Protects the fast sweep: it must be Eq. 2 to the last digit, forward and backward.

The sweep works on skewed buffers with strided views; the reference reads Eq. 2 vertex by vertex.
Outputs, states and gradients must agree at every shape, however a clip is cut into blocks.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vostool.strnn.directions import DIRECTIONS, mirror
from vostool.strnn.model import RNNConfig, SpatioTemporalRNN
from vostool.strnn.reference import reference_forward
from vostool.strnn.sweep import sweep

seeds = st.integers(0, 2**31 - 1)
small = st.integers(1, 4)
widths = st.builds(RNNConfig, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))


def random_rnn(config: RNNConfig, seed: int, scale: float = 0.5) -> SpatioTemporalRNN:
    """A layer whose every parameter is random, biases, too."""
    generator = torch.Generator().manual_seed(seed)
    rnn = SpatioTemporalRNN(config, generator)
    with torch.no_grad():
        for parameter in rnn.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return rnn


def random_input(rnn: SpatioTemporalRNN, shape: tuple[int, int, int], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed + 1)
    return torch.randn(*shape, rnn.config.in_channels, generator=generator)


def random_state(rnn: SpatioTemporalRNN, height: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed + 2)
    shape = rnn.initial_state(height, width).shape
    return torch.rand(shape, generator=generator)


def reference_state(h: dict[str, list[list[list[Tensor]]]]) -> Tensor:
    """The last frame's hidden states as the layer hands them on."""
    last = [torch.stack([torch.stack(row) for row in h[d][-1]]) for d in DIRECTIONS]
    return mirror(torch.stack(last))


def close(got: Tensor, want: Tensor) -> None:
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(config=widths, shape=st.tuples(small, small, small), seed=seeds, carried=st.booleans())
def test_outputs_and_state_equal_the_reference(
    config: RNNConfig, shape: tuple[int, int, int], seed: int, carried: bool
) -> None:
    rnn = random_rnn(config, seed)
    x = random_input(rnn, shape, seed)
    state = random_state(rnn, *shape[1:], seed) if carried else None
    with torch.no_grad():
        y, after = rnn(x, state)
        want, h = reference_forward(rnn, x, state)
    assert y.shape == (*shape, config.out_channels)
    assert after.shape == (4, *shape[1:], config.hidden_channels)
    close(y, want)
    close(after, reference_state(h))


def gradients(loss: Tensor, of: list[Tensor]) -> list[Tensor]:
    found = torch.autograd.grad(loss, of, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, of, strict=True)]


@settings(max_examples=25, deadline=None)
@given(config=widths, shape=st.tuples(small, small, small), seed=seeds)
def test_gradients_equal_the_references(
    config: RNNConfig, shape: tuple[int, int, int], seed: int
) -> None:
    rnn = random_rnn(config, seed, scale=0.4)
    x = random_input(rnn, shape, seed).requires_grad_()
    state = random_state(rnn, *shape[1:], seed).requires_grad_()
    generator = torch.Generator().manual_seed(seed + 3)
    weigh_y = torch.randn(*shape, config.out_channels, generator=generator)
    weigh_state = torch.randn(state.shape, generator=generator)
    inputs = [x, state, *rnn.parameters()]
    names = ["x", "state", *(name for name, _ in rnn.named_parameters())]
    y, after = rnn(x, state)
    got = gradients((y * weigh_y).sum() + (after * weigh_state).sum(), inputs)
    want_y, h = reference_forward(rnn, x, state)
    want_after = reference_state(h)
    want = gradients((want_y * weigh_y).sum() + (want_after * weigh_state).sum(), inputs)
    for name, a, b in zip(names, got, want, strict=True):
        scale = max(1.0, float(b.abs().max()))  # a sum over all vertices rounds at its own size
        error = float((a - b).abs().max()) / scale
        assert error <= 1e-5, name


@pytest.mark.parametrize("shape", [(3, 3, 2), (1, 2, 3), (2, 1, 3), (3, 2, 1), (1, 1, 1)])
def test_gradcheck_of_the_sweep_in_float64(shape: tuple[int, int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    drive = torch.randn(2, *shape, 2, generator=generator, dtype=torch.float64)
    K_space = torch.randn(2, 2, 2, generator=generator, dtype=torch.float64)
    K_time = torch.randn(2, 2, generator=generator, dtype=torch.float64)
    for tensor in (drive, K_space, K_time):
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(sweep, (drive, K_space, K_time))


def test_sweep_leaves_its_inputs_alone_and_is_repeatable() -> None:
    rnn = random_rnn(RNNConfig(2, 3, 1), 0)
    drive = torch.randn(4, 3, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    before = drive.clone()
    with torch.no_grad():
        first = sweep(drive, rnn.K_space, rnn.K_time)
        second = sweep(drive, rnn.K_space, rnn.K_time)
    assert torch.equal(drive, before)
    assert torch.equal(first, second)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 4)])
def test_writing_into_the_result_does_not_spoil_the_gradient(shape: tuple[int, int, int]) -> None:
    drive = torch.ones(4, *shape, 2, requires_grad=True)
    hidden = sweep(drive, torch.zeros(4, 2, 2), torch.zeros(2, 2))
    with torch.no_grad():
        hidden.zero_()
    (gradient,) = torch.autograd.grad(hidden.sum(), drive)
    assert torch.equal(gradient, torch.ones_like(drive))


def test_sweep_takes_strided_inputs() -> None:
    generator = torch.Generator().manual_seed(0)
    drive = torch.randn(3, 5, 4, 4, 2, generator=generator).permute(3, 0, 2, 1, 4)
    K_space = torch.randn(2, 2, 4, generator=generator).permute(2, 0, 1)
    K_time = torch.randn(2, 2, generator=generator).t()
    got = sweep(drive, K_space, K_time)
    want = sweep(drive.contiguous(), K_space.contiguous(), K_time.contiguous())
    close(got, want)


@st.composite
def cut_clips(draw: st.DrawFn) -> list[int]:
    """The lengths of the blocks that a clip is cut into."""
    return draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))


@settings(max_examples=30, deadline=None)
@given(blocks=cut_clips(), height=st.integers(1, 5), width=st.integers(1, 5), seed=seeds)
def test_any_cut_into_blocks_gives_the_same(
    blocks: list[int], height: int, width: int, seed: int
) -> None:
    rnn = random_rnn(RNNConfig(2, 3, 2), seed, scale=0.3)
    x = random_input(rnn, (sum(blocks), height, width), seed)
    with torch.no_grad():
        want, want_state = rnn(x)
        state, parts = None, []
        for block in torch.split(x, blocks):
            y, state = rnn(block, state)
            parts.append(y)
    assert state is not None
    close(torch.cat(parts), want)
    close(state, want_state)


def test_gradients_flow_through_the_carried_state() -> None:
    rnn = random_rnn(RNNConfig(2, 3, 2), 5, scale=0.3)
    x = random_input(rnn, (5, 3, 4), 5).requires_grad_()
    inputs = [x, *rnn.parameters()]
    want = gradients((rnn(x)[0] ** 2).sum(), inputs)
    first, state = rnn(x[:2])
    second, _ = rnn(x[2:], state)
    got = gradients((torch.cat([first, second]) ** 2).sum(), inputs)
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


@settings(max_examples=20, deadline=None)
@given(frame=st.integers(0, 4), seed=seeds)
def test_frame_does_not_depend_on_later_frames(frame: int, seed: int) -> None:
    rnn = random_rnn(RNNConfig(2, 3, 2), seed)
    x = random_input(rnn, (5, 3, 4), seed)
    other = x.clone()
    other[frame + 1 :] += 10.0
    with torch.no_grad():
        close(rnn(other)[0][: frame + 1], rnn(x)[0][: frame + 1])


def test_gradient_reaches_only_the_past() -> None:
    rnn = random_rnn(RNNConfig(2, 3, 2), 1)
    x = random_input(rnn, (5, 3, 4), 1).requires_grad_()
    (gradient,) = torch.autograd.grad(rnn(x)[0][2].sum(), x)
    assert (gradient[3:] == 0).all()
    assert all((gradient[t] != 0).any() for t in range(3))


@pytest.mark.parametrize("shape", [(1, 9, 3), (2, 1, 12), (7, 1, 1), (3, 6, 11)])
def test_longer_thin_shapes_equal_the_reference(shape: tuple[int, int, int]) -> None:
    rnn = random_rnn(RNNConfig(2, 2, 1), 3, scale=0.3)
    x = random_input(rnn, shape, 3)
    with torch.no_grad():
        close(rnn(x)[0], reference_forward(rnn, x)[0])
