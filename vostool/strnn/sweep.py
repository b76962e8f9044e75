"""The fast sweep of Eq. 2: all vertices of one plane i + j + t = s at once.

In G_se the vertex (i, j, t) needs (i-1, j, t), (i, j-1, t), (i-1, j-1, t) and (i, j, t-1), which
lie on the planes s-1, s-1, s-2 and s-1. So H + W + T - 2 dependent steps do for a block, each a
dense matrix product over all its vertices and all four directions.

**Layout.** Vertices are kept skewed, at row ``r = i + t`` and slot ``t + 1`` of plane ``s``. On
plane s exactly the rows with 0 <= s - r < W hold vertices, so the work of a step is one slice of
rows. Flattened to ``q = r * (T + 1) + t + 1``, each predecessor lies at one constant distance:

    west        (s-1, q)                  north  (s-1, q - (T+1))
    north-west  (s-2, q - (T+1))          past   (s-1, q - (T+2))

Slot 0 and the corners with no vertex are driven by -inf, which relu turns into 0: a predecessor
outside the grid adds nothing, and nothing has to be masked. The past of frame 0 falls on slot 0.

**Backward.** The gradient runs the same planes in reverse, with successors for predecessors and K
transposed; gradients of K are products of the hidden states, shifted, with the gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


def sweep(drive: Tensor, K_space: Tensor, K_time: Tensor) -> Tensor:
    """Hidden states of a block of frames, every direction running south-east.

    Args:
        drive: (D, T, H, W, C), what enters each vertex from outside: U_d x + b_d.
        K_space: (D, C, C), from each spatial predecessor, shared by the three.
        K_time: (C, C), from the frame before, shared by the directions.

    Returns:
        (D, T, H, W, C): relu(drive + K_space · predecessors + K_time · past).
    """
    hidden: Tensor = _Sweep.apply(drive, K_space, K_time)  # type: ignore[no-untyped-call]
    return hidden


class InPlaceSweep:
    """The sweep of one direction without gradients, block after block in the same memory.

    Args:
        like: gives the number type and the device.
        frames, height, width, channels: of a block's drive.

    Attributes:
        vertices: (T, H, W, C), first what enters each vertex from outside, then its hidden state.
    """

    def __init__(self, like: Tensor, frames: int, height: int, width: int, channels: int) -> None:
        self._skew = _Skew(1, frames, height, width)
        self._buffer = self._skew.empty(like, channels)
        self.vertices = self._skew.vertices(self._buffer)[0]

    def run(self, K_space: Tensor, K_time: Tensor) -> None:
        """Turn what was set into hidden states, K (C, C) each."""
        self._skew.fill_elsewhere(self._buffer, -torch.inf)
        _forward_planes(self._skew, self._buffer, K_space[None], K_time)


@dataclass(frozen=True)
class _Skew:
    """The skewed buffer of a block: (planes, D, rows, C), with zero margins."""

    directions: int
    frames: int
    height: int
    width: int

    @property
    def slots(self) -> int:
        return self.frames + 1

    @property
    def margin(self) -> int:
        """Rows before the first vertex and after the last, for predecessors outside the grid."""
        return self.slots + 1

    @property
    def rows(self) -> int:
        return (self.height + self.frames - 1) * self.slots

    @property
    def planes(self) -> int:
        return self.height + self.width + self.frames - 2

    def empty(self, like: Tensor, channels: int) -> Tensor:
        """A new buffer of zeros, with two empty planes before the first and after the last."""
        return like.new_zeros(
            self.planes + 4, self.directions, self.rows + 2 * self.margin, channels
        )

    def buffer(self, values: Tensor, elsewhere: float) -> Tensor:
        """A new buffer that holds (D, T, H, W, C) values at the vertices."""
        buffer = self.empty(values, values.shape[-1])
        self.vertices(buffer).copy_(values)
        if elsewhere:
            self.fill_elsewhere(buffer, elsewhere)
        return buffer

    def fill_elsewhere(self, buffer: Tensor, value: float) -> None:
        """Set the cells that the steps work on but that are no vertex."""
        self._cells(buffer, 0).fill_(value)
        for t in range(self.frames):
            cells = self._cells(buffer, t + 1)
            cells[:, :t] = value
            cells[:, t + self.height :] = value

    def vertices(self, buffer: Tensor) -> Tensor:
        """The buffer's vertices, seen as (D, T, H, W, C)."""
        return self._view(
            buffer,
            (self.frames, self.height),
            # a frame on: next plane, next row, next slot; a vertex south: next plane, next row
            (buffer.stride(0) + buffer.stride(2) * (self.slots + 1), self._south(buffer)),
            slot=1,
        )

    def _cells(self, buffer: Tensor, slot: int) -> Tensor:
        """All that the steps work on in one slot, seen as (D, H + T - 1, W, C)."""
        rows = self.height + self.frames - 1
        return self._view(buffer, (rows,), (self._south(buffer),), slot)

    def _south(self, buffer: Tensor) -> int:
        return buffer.stride(0) + buffer.stride(2) * self.slots

    def _view(
        self, buffer: Tensor, shape: tuple[int, ...], strides: tuple[int, ...], slot: int
    ) -> Tensor:
        plane, direction, row, channel = buffer.stride()
        return buffer.as_strided(
            (self.directions, *shape, self.width, buffer.shape[-1]),
            (direction, *strides, plane, channel),
            2 * plane + (self.margin + slot) * row,
        )

    def active(self, s: int) -> tuple[int, int]:
        """The slice of flattened rows that plane s works on."""
        first = max(0, s - self.width + 1)
        last = min(self.height + self.frames - 2, s)
        return self.margin + first * self.slots, self.margin + (last + 1) * self.slots

    def products(self, h: Tensor, g: Tensor, planes: int, rows: int) -> Tensor:
        """Sum over the vertices of (h of the predecessor at a distance)ᵀ · g: (D, C, C)."""
        total = h.new_zeros(self.directions, h.shape[-1], h.shape[-1])
        for s in range(self.planes):
            a, b = self.active(s)
            predecessors = h[s + 2 - planes, :, a - rows : b - rows]
            total.baddbmm_(predecessors.transpose(1, 2), g[s + 2, :, a:b])
        return total


class _Sweep(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, drive: Tensor, K_space: Tensor, K_time: Tensor) -> Tensor:
        skew = _Skew(*drive.shape[:4])
        h = skew.buffer(drive, elsewhere=-torch.inf)
        _forward_planes(skew, h, K_space, K_time)
        ctx.save_for_backward(h, K_space, K_time)
        ctx.skew = skew
        return skew.vertices(h).contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h, K_space, K_time = ctx.saved_tensors
        skew: _Skew = ctx.skew
        g = skew.buffer(gradients[0], elsewhere=0.0)
        _backward_planes(skew, h, g, K_space, K_time)
        grad_space = torch.zeros_like(K_space)
        for planes, rows in ((1, 0), (1, skew.slots), (2, skew.slots)):  # west, north, north-west
            grad_space += skew.products(h, g, planes, rows)
        grad_time = skew.products(h, g, 1, skew.slots + 1).sum(0)
        return skew.vertices(g).contiguous(), grad_space, grad_time


def _forward_planes(skew: _Skew, h: Tensor, K_space: Tensor, K_time: Tensor) -> None:
    """Turn what drives each vertex into its hidden state, in place, plane by plane."""
    north, past = skew.slots, skew.slots + 1
    K_past = K_time.expand_as(K_space)
    scratch = torch.empty_like(h[0])
    for s in range(skew.planes):
        a, b = skew.active(s)
        now, before, earlier = h[s + 2, :, a:b], h[s + 1], h[s]
        neighbours = scratch[:, a:b]
        torch.add(before[:, a:b], before[:, a - north : b - north], out=neighbours)
        neighbours += earlier[:, a - north : b - north]
        torch.baddbmm(now, neighbours, K_space, out=now)
        torch.baddbmm(now, before[:, a - past : b - past], K_past, out=now)
        now.relu_()


def _backward_planes(skew: _Skew, h: Tensor, g: Tensor, K_space: Tensor, K_time: Tensor) -> None:
    """Turn the gradients of the output into those of the drive, in place, last plane first."""
    south, future = skew.slots, skew.slots + 1
    K_back = K_space.transpose(1, 2)
    K_past = K_time.t().expand_as(K_space)
    for s in reversed(range(skew.planes)):
        a, b = skew.active(s)
        now, after, later = g[s + 2, :, a:b], g[s + 3], g[s + 4]
        successors = after[:, a:b] + after[:, a + south : b + south]
        successors += later[:, a + south : b + south]
        torch.baddbmm(now, successors, K_back, out=now)
        torch.baddbmm(now, after[:, a + future : b + future], K_past, out=now)
        now *= h[s + 2, :, a:b] > 0
