"""The loop: optimise, log, checkpoint, and go on from a checkpoint as if nothing had happened.

What an iteration draws depends on the seed and its number alone, and so does its learning rate, so
that a checkpoint holds the parameters, their average and the optimiser's, and nothing else.

The network is left with the average of its parameters: single shots pull them to and fro, and the
middle of that is better than where they happen to end (Polyak and Juditsky, "Acceleration of
Stochastic Approximation by Averaging", 1992).
"""

from __future__ import annotations

import csv
import io
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from vostool.errors import WeightsError
from vostool.files import replacing, sealed, unsealed

CHECKPOINT, LOG = "checkpoint.pt", "log.csv"
WARM_UP = 100
"""Iterations over which the learning rate rises, or a tenth of a shorter training: Adam's averages
mean little before."""
AVERAGED = 300
"""Iterations over which parameters are averaged, or a tenth of a shorter training; earlier ones
fade."""
Progress = Callable[[int, int, float], None]
"""Told (iterations done, iterations in all, loss)."""


@dataclass(frozen=True)
class Group:
    """Parameters that learn at one rate.

    Attributes:
        parameters: they.
        share: of the schedule's learning rate.
    """

    parameters: list[nn.Parameter]
    share: float = 1.0


class Step(Protocol):
    """What is optimised; see :mod:`vostool.training.recipes`."""

    def groups(self) -> list[Group]:
        """What is trained."""

    def loss(self, iteration: int) -> Tensor:
        """The loss of one iteration, the same whenever it is asked for."""


@dataclass(frozen=True)
class Schedule:
    """How long, and how fast.

    Attributes:
        iterations: in all.
        learning_rate: of Adam, rising over the first iterations, then falling to zero as a half
            cosine.
        clip: the largest norm of a gradient.
        every: iterations between checkpoints.
    """

    iterations: int
    learning_rate: float = 1e-4
    clip: float = 1.0
    every: int = 100

    def rate(self, iteration: int) -> float:
        """The learning rate of an iteration."""
        risen = min(1.0, (iteration + 1) / min(WARM_UP, 0.1 * self.iterations))
        fallen = 0.5 * (1 + math.cos(math.pi * iteration / self.iterations))
        return self.learning_rate * risen * fallen


def train(
    network: nn.Module,
    step: Step,
    schedule: Schedule,
    out: Path,
    settings: dict[str, Any],
    progress: Progress,
) -> None:
    """Train, from the folder's checkpoint on if it has one.

    Args:
        network: whose state is kept; in the end it is the average.
        step: what to optimise.
        schedule: how long, and how fast.
        out: the folder for checkpoint and log.
        settings: what decides the result; a checkpoint of other settings is not gone on from.
        progress: told of iterations done.

    Raises:
        WeightsError: the folder's checkpoint is of other settings, or is broken.
    """
    out.mkdir(parents=True, exist_ok=True)
    settings = {**settings, **asdict(schedule)}
    groups = step.groups()
    parameters = [parameter for group in groups for parameter in group.parameters]
    optimizer = torch.optim.Adam([{"params": group.parameters} for group in groups])
    average = AveragedModel(network, avg_fn=_Fading(schedule.iterations))
    first = _resume(network, average, optimizer, out, settings)
    rows = _rows(out / LOG, first)
    begun = time.perf_counter() - (float(rows[-1][2]) if rows else 0.0)
    for iteration in range(first, schedule.iterations):
        for group, learning in zip(groups, optimizer.param_groups, strict=True):
            learning["lr"] = group.share * schedule.rate(iteration)
        optimizer.zero_grad()
        loss = step.loss(iteration)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(parameters, schedule.clip)
        if torch.isfinite(norm):  # one odd shot must not spoil all that was learnt
            optimizer.step()
        average.update_parameters(network)
        value = loss.item()
        rows.append([str(iteration), f"{value:.6g}", f"{time.perf_counter() - begun:.2f}"])
        progress(iteration + 1, schedule.iterations, value)
        if (iteration + 1) % schedule.every == 0 or iteration + 1 == schedule.iterations:
            _checkpoint(network, average, optimizer, out, settings, iteration + 1, rows)
    network.load_state_dict(average.module.state_dict())


@dataclass(frozen=True)
class _Fading:
    """The average of all parameters so far, and later of recent ones.

    Attributes:
        iterations: of the training.
    """

    iterations: int

    def __call__(self, average: Tensor, parameter: Tensor, before: Tensor | int) -> Tensor:
        span = max(1.0, min(AVERAGED, 0.1 * self.iterations))
        return average + (parameter - average) / min(float(before) + 1, span)


def _checkpoint(
    network: nn.Module,
    average: AveragedModel,
    optimizer: torch.optim.Optimizer,
    out: Path,
    settings: dict[str, Any],
    iteration: int,
    rows: Sequence[Sequence[str]],
) -> None:
    with replacing(out / LOG) as tmp, tmp.open("w", newline="") as table:
        csv.writer(table).writerows([("iteration", "loss", "seconds"), *rows])
    content = {
        "settings": json.dumps(settings, sort_keys=True),
        "iteration": iteration,
        "network": network.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    stream = io.BytesIO()
    torch.save(content, stream)
    with replacing(out / CHECKPOINT) as tmp:
        tmp.write_bytes(sealed(stream.getvalue()))


def _resume(
    network: nn.Module,
    average: AveragedModel,
    optimizer: torch.optim.Optimizer,
    out: Path,
    settings: dict[str, Any],
) -> int:
    """Take up the folder's checkpoint; the iteration to go on with."""
    file = out / CHECKPOINT
    if not file.exists():
        return 0
    try:
        stream = io.BytesIO(unsealed(file.read_bytes()))
        content = torch.load(stream, map_location="cpu", weights_only=True)
        there, iteration = json.loads(content["settings"]), int(content["iteration"])
    except Exception as problem:  # torch raises many kinds for a broken file
        raise WeightsError(f"{file}: not a whole checkpoint; name another --out") from problem
    if there != settings:
        changed = [k for k in {*there, *settings} if there.get(k) != settings.get(k)]
        raise WeightsError(
            f"{file}: of other settings ({', '.join(sorted(changed))}); name another --out"
        )
    network.load_state_dict(content["network"])
    average.load_state_dict(content["average"])
    optimizer.load_state_dict(content["optimizer"])
    return iteration


def _rows(log: Path, before: int) -> list[list[str]]:
    """The log's rows of the iterations before one; of a damaged log, none."""
    if not (before and log.exists()):
        return []
    try:
        with log.open(newline="") as stream:
            rows = [row for row in list(csv.reader(stream))[1:] if int(row[0]) < before]
        for _, *numbers in rows:
            _, _ = map(float, numbers)
    except (ValueError, IndexError, csv.Error):
        return []
    return rows
