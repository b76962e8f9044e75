"""What the decoder reads of the ridge classifier: each object's score against background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.pyramid import Level, Pyramid


class Scoring:
    """The ridge classifier's scores of some frames.

    Args:
        pyramid: the features' geometry.
        W: (C, K + 1) of Eq. 3, background first.
        device: where to run.
    """

    def __init__(self, pyramid: Pyramid, W: npt.NDArray[np.float64], device: torch.device) -> None:
        # Scores against background's: one map fewer, and the largest is the same.
        parts = pyramid.split(W[:, 1:] - W[:, :1])
        self._parts = [torch.from_numpy(part).to(device) for part in parts]
        self._to_grid = [
            (torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device))
            for rows, columns in pyramid.to_grid
        ]
        grid = pyramid.levels.index(pyramid.grid)
        self._onto = {}
        for level in pyramid.backbone.levels:
            rows, columns = pyramid.onto(level)[grid]
            self._onto[level] = (
                torch.from_numpy(rows).to(device),
                torch.from_numpy(columns).to(device),
            )

    def on_grid(self, levels: Sequence[Tensor]) -> Tensor:
        """Scores (T, K, h, w) of the objects, each against background, on the pyramid's grid.

        Args:
            levels: (T, h, w, C) float32 each, finest first.
        """
        scores: Tensor | None = None
        for level, part, (rows, columns) in zip(levels, self._parts, self._to_grid, strict=True):
            here = rows @ (level @ part).permute(0, 3, 1, 2) @ columns
            scores = here if scores is None else scores + here
        assert scores is not None
        return scores

    def at(self, level: Level, on_grid: Tensor) -> Tensor:
        """Scores (T, K, h, w) of the objects, each against background, at a level.

        Args:
            level: one of the pyramid's.
            on_grid: what :meth:`on_grid` made.
        """
        rows, columns = self._onto[level]
        return rows @ on_grid @ columns
