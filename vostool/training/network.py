"""What is trained: the backbone and the RNN behind it, with gradients."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from vostool.backbones.architecture import Architecture
from vostool.pyramid import Pyramid
from vostool.strnn.context import on_one_grid
from vostool.strnn.model import RNNConfig, SpatioTemporalRNN

HIDDEN_CHANNELS = OUT_CHANNELS = 128


class ContextNetwork(nn.Module):
    """F of Eq. 4: from frames to context features at the finest stride.

    The backbone begins with published weights, whose batch norms keep their statistics: a batch
    here is a few frames of one clip, too few and too alike to take new ones from. The temporal K
    begins at zero: until step 2 tunes it, a frame hears nothing of the one before (§2.4.1).

    Args:
        architecture: the backbone's.
        weights: the backbone's first, or None for random ones.
        seed: of the RNN's first weights.

    Attributes:
        architecture: the backbone's.
        backbone: without its classes, which nothing reads.
        rnn: the spatio-temporal RNN.
    """

    def __init__(self, architecture: Architecture, weights: Path | None, seed: int = 0) -> None:
        super().__init__()
        self.architecture = architecture
        self.backbone = architecture.loaded(weights)
        config = RNNConfig(architecture.channels, HIDDEN_CHANNELS, OUT_CHANNELS)
        self.rnn = SpatioTemporalRNN(config, torch.Generator().manual_seed(seed))
        nn.init.zeros_(self.rnn.K_time)
        self.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def train(self, mode: bool = True) -> ContextNetwork:
        """As of any module, but for the batch norms."""
        super().train(mode)
        self.backbone.eval()
        return self

    def levels(self, images: Tensor) -> list[Tensor]:
        """The backbone's features (T, h, w, C) a level, of frames (T, H, W, 3) in 0..255."""
        stages = self.backbone.stages(self.architecture.normalise(images))
        return self.architecture.pyramid(stages)

    def context(self, levels: list[Tensor], size: tuple[int, int]) -> Tensor:
        """Context features of consecutive frames.

        Args:
            levels: (T, h, w, C) each.
            size: (H, W) of the frames.

        Returns:
            (T, h, w, C) at the finest stride.
        """
        x = on_one_grid(levels, Pyramid(size, size, self.architecture.levels(*size)))
        y: Tensor = self.rnn(x)[0]
        return y
