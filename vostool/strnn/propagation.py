"""The RNN over a whole clip, block by block: from stored backbone features to context features."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.pyramid import Level, Pyramid
from vostool.store import Features
from vostool.strnn.model import RNNConfig, SpatioTemporalRNN

UNTRAINED = (
    "WARNING: the spatio-temporal RNN is UNTRAINED (random weights); its context features are "
    "good for trying the pipeline, not for masks"
)
UNTRAINED_SEED = 0
HIDDEN_CHANNELS = OUT_CHANNELS = 128


class Propagation:
    """Runs the RNN forwards in time, in memory bounded by one block.

    Args:
        backbone: the geometry of the features that go in.
        device: where to run.

    Attributes:
        pyramid: the geometry of the context features: one level at the finest level's stride.
        fingerprint: the hash of the RNN's parameters.
    """

    def __init__(self, backbone: Pyramid, device: torch.device) -> None:
        self._backbone, self._device = backbone, device
        generator = torch.Generator().manual_seed(UNTRAINED_SEED)
        config = RNNConfig(backbone.channels, HIDDEN_CHANNELS, OUT_CHANNELS)
        rnn = SpatioTemporalRNN(config, generator)
        digest = hashlib.sha256()
        for name, parameter in sorted(rnn.state_dict().items()):
            digest.update(name.encode() + parameter.numpy().tobytes())
        self.fingerprint = digest.hexdigest()
        self._rnn = rnn.to(device)
        self._state: Tensor | None = None
        finest = backbone.levels[0]
        self.pyramid = Pyramid(
            backbone.clip_size,
            backbone.network_size,
            (Level(finest.name, finest.stride, (*finest.shape[:2], OUT_CHANNELS)),),
        )

    @property
    def state(self) -> npt.NDArray[np.float32]:
        """What the next block needs, (4, h, w, C_h)."""
        assert self._state is not None
        return self._state.cpu().numpy()

    def take_up(self, state: npt.NDArray[np.float32] | None) -> None:
        """Go on from the state that an earlier run left."""
        self._state = None if state is None else torch.from_numpy(state).to(self._device)

    @torch.inference_mode()
    def forward(self, block: Features) -> npt.NDArray[np.float16]:
        """Context features (T, h, w, C) of the next block of frames."""
        levels = [torch.from_numpy(level).to(self._device) for level in block]
        y, self._state = self._rnn(on_one_grid(levels, self._backbone), self._state)
        context: npt.NDArray[np.float16] = y.to("cpu", torch.float16).numpy()
        return context


def on_one_grid(levels: list[Tensor], pyramid: Pyramid) -> Tensor:
    """All levels (T, h, w, C) brought to the finest, side by side: (T, h, w, channels) float32."""
    grids = []
    for level, (rows, columns) in zip(levels, pyramid.to_finest, strict=True):
        grid = level.float()
        if len(rows) != grid.shape[1] or len(columns[0]) != grid.shape[2]:
            grid = torch.einsum("yi,tijc->tyjc", torch.from_numpy(rows).to(grid), grid)
            grid = torch.einsum("xj,tyjc->tyxc", torch.from_numpy(columns.T).to(grid), grid)
        grids.append(grid)
    return torch.cat(grids, dim=-1)
