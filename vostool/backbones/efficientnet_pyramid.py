"""The default features: EfficientNet-Lite0's own stages, as a pyramid.

Six of its stages, each L2-normalised per vertex: 768 channels in four levels (24 at stride 4, 40 at
stride 8, 192 at 16, 512 at 32), 2.79 MB a frame at 480p. Why so is in the README, under "Which
features".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from vostool.backbones.efficientnet_lite import (
    EfficientNetLite0,
    drop_head,
    fold_batch_norms,
)
from vostool.backbones.state import load_state
from vostool.precision import fast_dtype
from vostool.pyramid import Level
from vostool.weights import SUFFIX, load_weights


@dataclass(frozen=True)
class _LevelShape:
    stride: int
    stages: tuple[int, ...]
    channels: int


LEVELS = (
    _LevelShape(4, (1,), 24),
    _LevelShape(8, (2,), 40),
    _LevelShape(16, (3, 4), 80 + 112),
    _LevelShape(32, (5, 6), 192 + 320),
)


class EfficientNetLite0Pyramid:
    """A :class:`vostool.backbones.Backbone`.

    Args:
        weights: the published state dict, or a file that training wrote.
        device: where to run.

    Raises:
        WeightsError: the file is not this network's.
    """

    def __init__(self, weights: Path, device: torch.device) -> None:
        network = load_stages(weights)
        dtype = fast_dtype(device)
        self.precision = str(dtype).removeprefix("torch.")
        self._device, self._dtype = device, dtype
        self._network = fold_batch_norms(network.eval()).to(device, dtype)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def levels(self, height: int, width: int) -> tuple[Level, ...]:
        """The grids that frames of this size give, finest first."""
        return pyramid_levels(height, width)

    @torch.inference_mode()
    def features(self, frames: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float16]]:
        """Features of some frames (B, H, W, 3) uint8 RGB: (B, h, w, C) float16 a level."""
        return [level.to("cpu", torch.float16).numpy() for level in pyramid(self.stages(frames))]

    @torch.inference_mode()
    def stages(self, frames: npt.NDArray[np.uint8]) -> list[Tensor]:
        """The bare network on some frames: what extraction's speed is measured against."""
        x = normalised(torch.tensor(frames).to(self._device))
        x = x.to(self._dtype, memory_format=torch.channels_last)
        stages: list[Tensor] = self._network.stages(x)
        return stages


def load_stages(weights: Path) -> EfficientNetLite0:
    """The network without its head, from the published state dict or from weights trained here.

    Raises:
        WeightsError: the file is not this network's.
    """
    network = EfficientNetLite0()
    if weights.suffix == SUFFIX:
        load_weights(drop_head(network), weights)
        return network
    load_state(network, weights)
    return drop_head(network)


def pyramid_levels(height: int, width: int) -> tuple[Level, ...]:
    """The grids of frames of this size, finest first."""
    return tuple(
        Level(
            f"s{level.stride}",
            level.stride,
            (-(-height // level.stride), -(-width // level.stride), level.channels),
        )
        for level in LEVELS
    )


def normalised(frames: Tensor) -> Tensor:
    """What the network takes: (B, 3, H, W) in -1..1, of frames (B, H, W, 3) in 0..255, RGB."""
    return (frames.permute(0, 3, 1, 2).float() - 127) / 128


def pyramid(stages: list[Tensor]) -> list[Tensor]:
    """The network's stages as the levels of features: (B, h, w, C) float32 each, finest first."""
    levels = []
    for level in LEVELS:
        grids = [stages[n].permute(0, 2, 3, 1).float() for n in level.stages]
        unit = [functional.normalize(grid, dim=-1, eps=1e-6) for grid in grids]
        levels.append(torch.cat(unit, dim=-1))
    return levels
