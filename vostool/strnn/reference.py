"""Eq. 2 read aloud: one vertex after the other. The truth that the fast sweep is tested against."""

from __future__ import annotations

import torch
from torch import Tensor

from vostool.strnn.directions import DIRECTIONS
from vostool.strnn.model import SpatioTemporalRNN

_AGAINST = {"se": (-1, -1), "sw": (-1, 1), "ne": (1, -1), "nw": (1, 1)}
"""For each direction, the step in rows and in columns to its predecessors."""


def reference_forward(
    rnn: SpatioTemporalRNN, x: Tensor, state: Tensor | None = None
) -> tuple[Tensor, dict[str, list[list[list[Tensor]]]]]:
    """Eq. 2, vertex by vertex.

    Args:
        rnn: the parameters.
        x: (T, H, W, C_in).
        state: (4, H, W, C_h) as :meth:`SpatioTemporalRNN.forward` returns it, mirrored.

    Returns:
        y (T, H, W, C_out), and h[d][t][i][j], (C_h,) each.
    """
    frames, height, width, _ = x.shape
    h: dict[str, list[list[list[Tensor]]]] = {}
    for d, name in enumerate(DIRECTIONS):
        down, right = _AGAINST[name]
        rows = range(height) if down < 0 else range(height - 1, -1, -1)
        columns = range(width) if right < 0 else range(width - 1, -1, -1)
        nothing = x.new_zeros(rnn.config.hidden_channels)
        h[name] = [[[nothing] * width for _ in range(height)] for _ in range(frames)]
        for t in range(frames):
            for i in rows:
                for j in columns:
                    total = x[t, i, j] @ rnn.U[d] + rnn.b[d]
                    if t > 0:
                        total = total + h[name][t - 1][i][j] @ rnn.K_time
                    elif state is not None:
                        mirrored_i = i if down < 0 else height - 1 - i
                        mirrored_j = j if right < 0 else width - 1 - j
                        total = total + state[d, mirrored_i, mirrored_j] @ rnn.K_time
                    for pi, pj in ((i + down, j), (i, j + right), (i + down, j + right)):
                        if 0 <= pi < height and 0 <= pj < width:
                            total = total + h[name][t][pi][pj] @ rnn.K_space[d]
                    h[name][t][i][j] = torch.relu(total)
    y = torch.stack(
        [
            torch.stack(
                [
                    torch.stack(
                        [
                            sum(
                                (h[name][t][i][j] @ rnn.V[d] for d, name in enumerate(DIRECTIONS)),
                                start=rnn.c,
                            )
                            for j in range(width)
                        ]
                    )
                    for i in range(height)
                ]
            )
            for t in range(frames)
        ]
    )
    return y, h
