"""What can be trained, a file a network, and their table.

A recipe that joins is one module with a function that makes a :class:`Task` of a :class:`Setting`,
and one line of :data:`RECIPES`. Importing this room imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vostool.errors import WeightsError
from vostool.pipeline.progress import Progress

if TYPE_CHECKING:
    import torch
    from torch import nn

    from vostool.training.sampler import ShotSampler
    from vostool.training.trainer import Step


@dataclass(frozen=True)
class Recipe:
    """An entry of the table.

    Attributes:
        function: what makes the task, as ``module:function``.
        help: what it trains, in a line.
        options: of the command line, the function's keyword arguments.
        examples: what follows ``vostool train NAME`` in examples.
        alike: scenes of several alike objects, made of the data, are drawn as often as the data.
    """

    function: str
    help: str
    options: tuple[str, ...]
    examples: tuple[str, ...]
    alike: bool = False

    def load(self) -> Callable[..., Task]:
        """The function; imports torch."""
        module, function = self.function.split(":")
        loaded: Callable[..., Task] = getattr(import_module(module), function)
        return loaded


_CONTEXT = ("backbone", "weights", "fixed_backbone", "shots")
RECIPES = {
    "step1": Recipe(
        f"{__name__}.context:step1",
        "Step 1 of the paper (§2.4.1): backbone and spatial RNN together.",
        _CONTEXT,
        ("--photos DUTS --out photos", "--videos DAVIS --init photos --out step1"),
    ),
    "step2": Recipe(
        f"{__name__}.context:step2",
        "Step 2 of the paper (§2.4.1): the spatio-temporal RNN, on a fixed backbone.",
        _CONTEXT,
        ("--videos DAVIS --init step1 --out step2",),
    ),
    "decoder": Recipe(
        f"{__name__}.decoder:decoder",
        "The network that makes masks of the classifier's scores.",
        ("backbone", "weights", "batch", "workers"),
        ("--photos DUTS --videos DAVIS --size 320x544 --out decoder",),
        alike=True,
    ),
    "presence": Recipe(
        f"{__name__}.presence:presence",
        "What tells a decoder where an object may be; nothing else of it is changed.",
        ("backbone", "weights", "batch", "workers"),
        ("--photos DUTS --videos DAVIS --size 288x512 --init decoder --out presence",),
        alike=True,
    ),
}


@dataclass(frozen=True)
class Setting:
    """What every recipe is given.

    Attributes:
        sampler: of the shots.
        device: where it runs.
        seed: of first weights.
        iterations: of the whole training.
        init: the folder of the training to begin from, if there is one.
        digest: of all that decides the shots and what is made of them beforehand.
        out: the training's folder.
    """

    sampler: ShotSampler
    device: torch.device
    seed: int
    iterations: int
    init: Path | None
    digest: str
    out: Path


class Task(Protocol):
    """A training, ready to run.

    Attributes:
        network: whose state is kept.
        step: what is optimised.
        settings: what decides the result, beyond what is common to all recipes.
    """

    settings: dict[str, Any]

    @property
    def network(self) -> nn.Module:
        """Whose state is kept."""

    @property
    def step(self) -> Step:
        """What is optimised."""

    def prepare(self, progress: Progress) -> None:
        """Make what is made beforehand, once."""

    def close(self) -> None:
        """End what works for it, whether it is done or not."""

    def write(self, out: Path) -> list[Path]:
        """Write the weights, and tell their files."""


def initial_weights(init: Path, name: str) -> Path:
    """A file of weights that another training left.

    Raises:
        WeightsError: it left none.
    """
    file = init / name
    if not file.is_file():
        raise WeightsError(f"{file}: missing; --init takes the --out of a finished training")
    return file
