"""The layer of Eq. 2 without gradients: in memory that is kept, by threads that do not wait.

What enters and what leaves the sweep, each frame has for itself; the sweep, each direction. So on a
CPU each is done by one thread, and threads meet three times a block: those of one product or one
sum would meet thousands of times, and wait whenever one has lost its core to another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

from vostool.onnx_graph import each, threads
from vostool.strnn.directions import DIRECTIONS, FLIPS
from vostool.strnn.sweep import InPlaceSweep

Item = TypeVar("Item")


class InPlaceLayer:
    """The layer, block after block of one shape in the same memory.

    Fresh memory of this size costs more than the arithmetic, so it is kept from block to block.

    Args:
        like: gives the number type and the device.
        frames, height, width, channels: of each direction's hidden states.
    """

    def __init__(self, like: Tensor, frames: int, height: int, width: int, channels: int) -> None:
        self.sweeps = [InPlaceSweep(like, frames, height, width, channels) for _ in DIRECTIONS]
        grid = (height, width, len(DIRECTIONS), channels)
        workers = min(threads(), frames) if like.device.type == "cpu" else 1
        self._scratch = [like.new_empty(grid) for _ in range(workers)]

    def enter(self, x: Tensor, U: Tensor, b: Tensor, past: Tensor | None) -> None:
        """Set what enters each vertex from outside the block.

        Args:
            x: (T, H, W, C_in).
            U: (4, C_in, C_h).
            b: (4, C_h).
            past: (4, H, W, C_h), K times the state before the first frame, mirrored; or None.
        """
        together, offset = U.transpose(0, 1).flatten(1), b.flatten()

        def enter(frames: Sequence[int], scratch: Tensor) -> None:
            for t in frames:
                pixels = x[t].flatten(0, 1)
                torch.addmm(offset, pixels, together, out=scratch.view(len(pixels), -1))
                for d, name in enumerate(DIRECTIONS):
                    drive = _flipped(scratch[:, :, d], name)
                    if past is not None and t == 0:
                        drive = drive + past[d]
                    self.sweeps[d].vertices[t].copy_(drive)

        self._frame_by_frame(enter, len(x))

    def sweep(self, K_space: Tensor, K_time: Tensor) -> None:
        """Turn what was set into hidden states, (4, C_h, C_h) and (C_h, C_h) being given."""
        _each_alone(
            lambda d: self.sweeps[d].run(K_space[d], K_time), range(len(DIRECTIONS)), K_time
        )

    def leave(self, V: Tensor, c: Tensor) -> Tensor:
        """The sum over directions of the hidden states times V (4, C_h, C_out), and c (C_out):
        (T, H, W, C_out)."""
        together = V.flatten(0, 1)
        (frames, height, width, _), out = self.sweeps[0].vertices.shape, V.shape[-1]
        y = V.new_empty(frames, height * width, out)

        def leave(frames: Sequence[int], scratch: Tensor) -> None:
            for t in frames:
                for d, name in enumerate(DIRECTIONS):
                    scratch[:, :, d] = _flipped(self.sweeps[d].vertices[t], name)
                torch.addmm(c, scratch.view(len(y[t]), -1), together, out=y[t])

        self._frame_by_frame(leave, frames)
        return y.view(frames, height, width, out)

    def _frame_by_frame(self, work: Callable[[Sequence[int], Tensor], None], count: int) -> None:
        """Do some work for all frames, with scratch memory (H, W, 4, C_h) a thread."""
        workers = len(self._scratch)

        def part(worker: int) -> None:
            work(range(worker, count, workers), self._scratch[worker])

        _each_alone(part, range(workers), self._scratch[0])


def _flipped(grid: Tensor, direction: str) -> Tensor:
    """(H, W, C) mirrored so that its graph becomes G_se, and back."""
    return grid.flip(FLIPS[direction]) if FLIPS[direction] else grid


def _each_alone(work: Callable[[int], None], items: Sequence[int], like: Tensor) -> None:
    """Do some work for each of some items: on a CPU, each in one thread of its own."""
    if like.device.type != "cpu":
        for item in items:
            work(item)
        return

    def alone(item: int) -> None:
        # What torch has of modes and numbers of threads, each thread has of its own.
        if torch.get_num_threads() != 1:
            torch.set_num_threads(1)
        with torch.inference_mode():
            work(item)

    with _one_thread():
        each(alone, items)


@contextmanager
def _one_thread() -> Iterator[None]:
    """torch's operations within, in one thread each."""
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(count)
