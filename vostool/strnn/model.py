"""The spatio-temporal RNN of Eq. 2: its parameters, and the layer round the sweep.

For each direction d of the four directed acyclic graphs G_se, G_sw, G_ne, G_nw:

    h_d[v, t] = relu(U_d x[v, t] + K h_d[v, t-1] + sum over v' in P_d(v) of K_d h_d[v', t] + b_d)
    y[v, t]   = sum over d of V_d h_d[v, t] + c

P_d(v) are the three neighbours of v that lie against the direction d: in G_se those to the north,
west and north-west. K_d is shared over them, and K over the directions (§2.2).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from vostool.strnn.directions import DIRECTIONS, mirror
from vostool.strnn.in_place import InPlaceLayer
from vostool.strnn.sweep import sweep

UNTRAINED_GAIN = 0.2
"""Spectral norm of untrained K and K_d: four predecessors times 0.2 stay below 1, so that hidden
states neither die out nor blow up on a clip of any length."""


@dataclass(frozen=True)
class RNNConfig:
    """The layer's widths.

    Attributes:
        in_channels: of x.
        hidden_channels: of each h_d.
        out_channels: of y.
    """

    in_channels: int
    hidden_channels: int
    out_channels: int

    def as_dict(self) -> dict[str, int]:
        """The widths by name, as they go into stamps and weight files."""
        return asdict(self)


class SpatioTemporalRNN(nn.Module):
    """Eq. 2 over a block of frames, with the state carried from the block before.

    Parameters are stored so that a row of features multiplies from the left:
    U (4, C_in, C_h), b (4, C_h), K_space (4, C_h, C_h), K_time (C_h, C_h), V (4, C_h, C_out),
    c (C_out).
    """

    def __init__(self, config: RNNConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self._layers: dict[tuple[int, int, int], InPlaceLayer] = {}
        n, hidden, out = config.in_channels, config.hidden_channels, config.out_channels
        directions = len(DIRECTIONS)
        self.U = nn.Parameter(torch.empty(directions, n, hidden))
        self.b = nn.Parameter(torch.zeros(directions, hidden))
        self.K_space = nn.Parameter(torch.empty(directions, hidden, hidden))
        self.K_time = nn.Parameter(torch.empty(hidden, hidden))
        self.V = nn.Parameter(torch.empty(directions, hidden, out))
        self.c = nn.Parameter(torch.zeros(out))
        nn.init.normal_(self.U, std=n**-0.5, generator=generator)
        nn.init.normal_(self.V, std=(directions * hidden) ** -0.5, generator=generator)
        for K in (*self.K_space, self.K_time):
            nn.init.orthogonal_(K, gain=UNTRAINED_GAIN, generator=generator)

    def initial_state(self, height: int, width: int) -> Tensor:
        """The state before the first frame, zeros (4, H, W, C_h)."""
        return self.U.new_zeros(len(DIRECTIONS), height, width, self.config.hidden_channels)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Aggregate context over a block of frames.

        Args:
            x: (T, H, W, C_in), the features of T consecutive frames.
            state: (4, H, W, C_h), what the block before returned; None before the first frame.

        Returns:
            y (T, H, W, C_out), and the state to hand to the next block.
        """
        if torch.is_grad_enabled():
            hidden = sweep(self._drive(x, state), self.K_space, self.K_time)
            y = torch.einsum("dthwc,dco->thwo", mirror(hidden), self.V) + self.c
            return y, hidden[:, -1]
        return self._forward_in_place(x, state)

    def _drive(self, x: Tensor, state: Tensor | None) -> Tensor:
        """What enters each vertex from outside the block: U_d x + b_d, and K h from before it.

        Returns:
            (4, T, H, W, C_h), each direction mirrored so that it runs south-east.
        """
        drive = mirror(torch.einsum("thwn,dnc->dthwc", x, self.U) + self.b[:, None, None, None])
        if state is None:
            return drive
        first = drive[:, :1] + (state @ self.K_time)[:, None]
        return torch.cat([first, drive[:, 1:]], dim=1)

    def _forward_in_place(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """The same map without gradients, in memory kept for it."""
        frames, height, width, _ = x.shape
        grid = (frames, height, width)
        if grid not in self._layers:
            self._layers = {  # of the last shape alone: blocks of a clip are alike but for the last
                grid: InPlaceLayer(x, *grid, self.config.hidden_channels)
            }
        layer = self._layers[grid]
        layer.enter(x, self.U, self.b, None if state is None else state @ self.K_time)
        layer.sweep(self.K_space, self.K_time)
        y = layer.leave(self.V, self.c)
        return y, torch.stack([sweep.vertices[-1] for sweep in layer.sweeps])
