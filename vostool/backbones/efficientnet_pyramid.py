"""The default features: EfficientNet-Lite0's own stages, as a pyramid.

Six of its stages, each L2-normalised per vertex, the stride-4 stage averaged down to stride 8: 768
channels in three levels (64 at stride 8, 192 at 16, 512 at 32), 1.86 MB a frame at 480p. Why so is
in the README, under "Which features".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from vostool.backbones.efficientnet_lite import EfficientNetLite0, fold_batch_norms
from vostool.backbones.state import load_state
from vostool.pyramid import Level

STRIDE_4_STAGE = 1


@dataclass(frozen=True)
class _LevelShape:
    stride: int
    stages: tuple[int, ...]
    channels: int


LEVELS = (
    _LevelShape(8, (STRIDE_4_STAGE, 2), 24 + 40),
    _LevelShape(16, (3, 4), 80 + 112),
    _LevelShape(32, (5, 6), 192 + 320),
)


class EfficientNetLite0Pyramid:
    """A :class:`vostool.backbones.Backbone`.

    Args:
        weights: the published state dict.
        device: where to run.

    Raises:
        WeightsError: the file is not this network's.
    """

    def __init__(self, weights: Path, device: torch.device) -> None:
        network = EfficientNetLite0()
        load_state(network, weights)
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
    # Averaged round the vertices of stride 8, which are every other vertex of stride 4.
    stride_8 = functional.avg_pool2d(stages[STRIDE_4_STAGE], 3, 2, 1, count_include_pad=False)
    stages = [*stages[:STRIDE_4_STAGE], stride_8, *stages[STRIDE_4_STAGE + 1 :]]
    levels = []
    for level in LEVELS:
        grids = [stages[n].permute(0, 2, 3, 1).float() for n in level.stages]
        unit = [functional.normalize(grid, dim=-1, eps=1e-6) for grid in grids]
        levels.append(torch.cat(unit, dim=-1))
    return levels


def fast_dtype(device: torch.device) -> torch.dtype:
    """The quickest arithmetic that serves: bfloat16 where a CPU multiplies in it, half on a GPU."""
    if device.type != "cpu":
        return torch.float16
    onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    fast = onednn and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if fast else torch.float32
