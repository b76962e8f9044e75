"""A network at work on a device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.backbones.architecture import Architecture
from vostool.precision import fast_dtype
from vostool.pyramid import Level


class TorchBackbone:
    """A :class:`vostool.backbones.Backbone`.

    Args:
        architecture: what runs.
        weights: its weights, or None for random ones.
        device: where.

    Raises:
        WeightsError: the file is not this network's.
    """

    def __init__(
        self, architecture: Architecture, weights: Path | None, device: torch.device
    ) -> None:
        network = architecture.loaded(weights).eval()
        network.fold_batch_norms()
        dtype = fast_dtype(device)
        self.engine = f"torch {torch.__version__}"
        self.precision = str(dtype).removeprefix("torch.")
        self._architecture, self._device, self._dtype = architecture, device, dtype
        self._network = network.to(device, dtype)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._at_once = 1 if device.type == "cpu" else None

    def levels(self, height: int, width: int) -> tuple[Level, ...]:
        """The grids that frames of this size give, finest first."""
        return self._architecture.levels(height, width)

    def features(self, frames: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float16]]:
        """Features of some frames (B, H, W, 3) uint8 RGB: (B, h, w, C) float16 a level.

        A CPU takes them one by one, which is quickest there. A GPU takes all at once, or as many as
        its memory holds.
        """
        at_once = self._at_once or len(frames)
        try:
            parts = [self._some(frames[n : n + at_once]) for n in range(0, len(frames), at_once)]
        except torch.OutOfMemoryError:
            if at_once == 1:
                raise
            self._at_once = at_once // 2
            return self.features(frames)
        return [np.concatenate(level) for level in zip(*parts, strict=True)]

    @torch.inference_mode()
    def tensors(self, frames: Tensor) -> list[Tensor]:
        """The same of frames that are on the device, all at once, and left there."""
        levels = self._architecture.pyramid(self._stages(frames))
        return [level.to(torch.float16) for level in levels]

    @torch.inference_mode()
    def stages(self, frames: npt.NDArray[np.uint8]) -> list[Tensor]:
        """The bare network on some frames: what extraction's speed is measured against."""
        return self._stages(torch.tensor(frames).to(self._device))

    def _stages(self, frames: Tensor) -> list[Tensor]:
        x = self._architecture.normalise(frames)
        return self._network.stages(x.to(self._dtype, memory_format=torch.channels_last))

    def _some(self, frames: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float16]]:
        levels = self._architecture.pyramid(self.stages(frames))
        return [level.to("cpu", torch.float16).numpy() for level in levels]
