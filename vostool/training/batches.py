"""Batches of marked shots, made ahead by other processes while a network learns."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from multiprocessing import get_all_start_methods, get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from threading import Thread
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from vostool.adapter.sampling import Samples
from vostool.errors import ClipError, VostoolError
from vostool.training.sampler import Drawer, ShotSampler
from vostool.training.user import MarkedShot, Marks, correct, mark

ATTEMPTS = 100
"""Shots in a row without an object that can be marked, before training gives up."""
AHEAD = 2
"""Batches that each process makes ahead."""
SIZES, SHOTS, LOSSES, STROKES = range(1, 5)
"""After an iteration's number, what is left to chance; none is 0, which numpy takes for nothing."""


@dataclass(frozen=True)
class Batch:
    """Marked shots of one size.

    Attributes:
        images: (B, T, H, W, 3) uint8.
        truth: (B, T, H, W) uint8; the objects that are asked for are labelled 1 to K, all else 0.
        first: the first strokes of each.
    """

    images: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.uint8]
    first: list[Marks]

    @classmethod
    def of(cls, shots: Sequence[MarkedShot]) -> Batch:
        """Of some shots."""
        images, truth = (
            np.stack([getattr(one.shot, name) for one in shots]) for name in ("images", "masks")
        )
        return cls(images, truth, [one.first for one in shots])


@dataclass(frozen=True)
class Correction:
    """What a user is shown, and asked to correct.

    Attributes:
        truth, predicted: (H, W) of the frame.
        frame: its number.
        earlier: the samples of the rounds before.
        seed: decides the strokes.
    """

    truth: npt.NDArray[np.uint8]
    predicted: npt.NDArray[np.uint8]
    frame: int
    earlier: Samples
    seed: tuple[int, ...]


class Batches:
    """Batches by number, each of shots of one size, and users who correct masks of them.

    Args:
        sampler: draws the shots.
        shots: of a batch.
        workers: processes that make batches ahead, and as many again that correct masks; 0 does
            both here.
    """

    def __init__(self, sampler: ShotSampler, shots: int, workers: int = 0) -> None:
        self._made, self._workers = _Made(sampler, shots), workers
        self._next: tuple[int, Iterator[Packed | VostoolError]] | None = None

    def batch(self, number: int) -> Batch:
        """A batch; it is made ahead where batches are asked for one after the other.

        Raises:
            ClipError: shot after shot, no object is large enough to be marked.
        """
        if self._workers == 0:
            return _unpacked(self._made[number])
        if self._next is None or self._next[0] != number:
            self._next = None  # which ends the processes that were ahead elsewhere
            loader = DataLoader(
                self._made,
                batch_size=None,
                sampler=_From(number),
                num_workers=self._workers,
                prefetch_factor=AHEAD,
                collate_fn=_as_they_are,
                multiprocessing_context=_processes(),
                worker_init_fn=_begin,
            )
            self._next = number, iter(loader)
        rest = self._next[1]
        self._next = number + 1, rest
        return _unpacked(next(rest))

    def correct(self, asked: Sequence[Correction | None]) -> list[Marks | None]:
        """Each correction's marks; None for None."""
        there = [one for one in asked if one is not None]
        marks = iter((map if self._workers == 0 else self._users.map)(_corrected, there))
        return [None if one is None else next(marks) for one in asked]

    def close(self) -> None:
        """End the processes."""
        self._next = None
        if "_users" in vars(self):
            self._users.shutdown(cancel_futures=True)
            del self._users

    @cached_property
    def _users(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._workers, _processes(), _begin)


Packed = tuple[Tensor, Tensor, list[Marks]]
"""A batch as it goes from one process to another: tensors are not copied."""


class _Made(Dataset[Packed | VostoolError]):
    def __init__(self, sampler: ShotSampler, shots: int) -> None:
        self._sampler, self._shots = sampler, shots
        sampler.drawers  # noqa: B018 - sizes of all photos, read once for all processes

    def __getitem__(self, number: int) -> Packed | VostoolError:
        drawer = self._sampler.shots_alike(self._sampler.rng(number, SIZES))
        try:
            batch = Batch.of([self._marked(drawer, number, n) for n in range(self._shots)])
        except VostoolError as problem:  # as it is, to whoever asked
            return problem
        return torch.from_numpy(batch.images), torch.from_numpy(batch.truth), batch.first

    def _marked(self, drawer: Drawer, number: int, n: int) -> MarkedShot:
        for attempt in range(ATTEMPTS):
            rng = self._sampler.rng(number, SHOTS, n, attempt)
            if marked := mark(drawer.shot(rng), rng):
                return marked
        raise ClipError("nothing to train on: no object in these shots can be marked")


class _From(Sampler[int]):
    """Numbers from one on, without end."""

    def __init__(self, first: int) -> None:
        self._first = first

    def __iter__(self) -> Iterator[int]:
        return count(self._first)


def _corrected(asked: Correction) -> Marks:
    rng = np.random.default_rng(asked.seed)
    return correct(asked.truth, asked.predicted, asked.frame, asked.earlier, rng)


def _as_they_are(packed: Any) -> Any:
    return packed


def _unpacked(packed: Packed | VostoolError) -> Batch:
    if isinstance(packed, VostoolError):
        raise packed
    images, truth, first = packed
    return Batch(images.numpy(), truth.numpy(), first)


def _processes() -> BaseContext:
    """How processes begin: where that can be, from one that has loaded all this, and nothing else,
    for a process that talks to a GPU cannot be forked."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _begin(worker: int = 0) -> None:
    """A process begins, one of many on the machine: with one thread, until its training ends."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the training hears of it, and ends the others
    parent = parent_process()
    if parent is not None:
        # However that ends: what forked this process goes on, and nobody else would end it.
        Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(0)
