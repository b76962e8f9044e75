"""The RNN over a whole clip, block by block: from stored backbone features to context features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.checkpoints import load_weights, read_metadata
from vostool.errors import WeightsError
from vostool.pyramid import Level, Pyramid
from vostool.store import Features
from vostool.strnn.model import RNNConfig, SpatioTemporalRNN


class ContextRNN:
    """Runs the RNN forwards in time, in memory bounded by one block.

    Args:
        backbone: the geometry of the features that go in.
        weights: of the RNN; see :mod:`vostool.weights`.
        device: where to run.

    Attributes:
        engine: what runs it, and of which version.
        pyramid: the geometry of the context features: one level, on the backbone's ``grid``.

    Raises:
        WeightsError: the weights are broken, or no RNN's.
    """

    def __init__(self, backbone: Pyramid, weights: Path, device: torch.device) -> None:
        self.engine = f"torch {torch.__version__}"
        self._backbone, self._device = backbone, device
        rnn = load_rnn(weights)
        self._rnn = rnn.to(device)
        self._state: Tensor | None = None
        self.pyramid = context_pyramid(backbone, rnn.config.out_channels)

    @property
    def state(self) -> npt.NDArray[np.float32]:
        """What the next block needs, (4, h, w, C_h)."""
        assert self._state is not None
        return self._state.cpu().numpy()

    def resume(self, state: npt.NDArray[np.float32] | None) -> None:
        """Go on from the state that an earlier run left."""
        self._state = None if state is None else torch.from_numpy(state).to(self._device)

    @torch.inference_mode()
    def forward(self, block: Features) -> npt.NDArray[np.float16]:
        """Context features (T, h, w, C) of the next block of frames."""
        levels = [torch.from_numpy(level).to(self._device) for level in block]
        y, self._state = self._rnn(on_one_grid(levels, self._backbone), self._state)
        context: npt.NDArray[np.float16] = y.to("cpu", torch.float16).numpy()
        return context


def load_rnn(weights: Path) -> SpatioTemporalRNN:
    """The RNN of a file of weights.

    Raises:
        WeightsError: the file is broken, or no RNN's.
    """
    metadata = read_metadata(weights)
    try:
        config = RNNConfig(*(int(metadata[f"{part}_channels"]) for part in ("in", "hidden", "out")))
    except (KeyError, ValueError) as problem:
        raise WeightsError(f"{weights}: not the weights of an RNN") from problem
    rnn = SpatioTemporalRNN(config)
    load_weights(rnn, weights)
    return rnn


def context_pyramid(backbone: Pyramid, channels: int) -> Pyramid:
    """The geometry of context features: one level, on the backbone's ``grid``."""
    grid = backbone.grid
    level = Level(grid.name, grid.stride, (*grid.shape[:2], channels))
    return Pyramid(backbone.clip_size, backbone.network_size, (level,), context_levels=1)


def on_one_grid(levels: list[Tensor], pyramid: Pyramid) -> Tensor:
    """All levels (T, h, w, C) on the pyramid's grid, side by side: (T, h, w, channels) float32."""
    grids = []
    for level, (rows, columns) in zip(levels, pyramid.to_grid, strict=True):
        grid = level.float()
        if len(rows) != grid.shape[1] or len(columns[0]) != grid.shape[2]:
            grid = torch.einsum("yi,tijc->tyjc", torch.from_numpy(rows).to(grid), grid)
            grid = torch.einsum("xj,tyjc->tyxc", torch.from_numpy(columns.T).to(grid), grid)
        grids.append(grid)
    return torch.cat(grids, dim=-1)
