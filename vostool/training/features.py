"""Features of many shots at once, where the decoder learns from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.backbones import Backbone
from vostool.backbones.side_by_side import SideBySide
from vostool.backbones.torch_backbone import TorchBackbone
from vostool.decoder.shape import PRIOR_STRIDE
from vostool.pyramid import Level, Pyramid

Matrices = tuple[Tensor, Tensor]
"""Of rows and of columns; a map (h, w) is brought to another grid as rows @ map @ columns."""


@dataclass(frozen=True)
class Geometry:
    """A pyramid's grids, and what brings maps from one to another, on a device.

    Attributes:
        pyramid: of the shots.
        device: where.
    """

    pyramid: Pyramid
    device: torch.device

    @cached_property
    def strides(self) -> list[Level]:
        """A level of each stride, finest first."""
        return list({level.stride: level for level in reversed(self.pyramid.levels)}.values())[::-1]

    @cached_property
    def coarse(self) -> Level:
        """A level of the stride at which labels are carried."""
        return next(level for level in self.strides if level.stride == PRIOR_STRIDE)

    @cached_property
    def to_grid(self) -> list[Matrices]:
        """From each stride to the grid on which pixels are read."""
        return self._onto(self.pyramid.grid, self.strides)

    @cached_property
    def grid_to_finest(self) -> Matrices:
        """From there to the finest stride."""
        return self._onto(self.strides[0], [self.pyramid.grid])[0]

    @cached_property
    def grid_to_coarse(self) -> Matrices:
        """And to the stride at which labels are carried."""
        return self._onto(self.coarse, [self.pyramid.grid])[0]

    @cached_property
    def finest_to_coarse(self) -> Matrices:
        """From the finest stride to that one."""
        return self._onto(self.coarse, self.strides[:1])[0]

    @cached_property
    def finest_to_pixels(self) -> Matrices:
        """From the finest stride to pixels."""
        rows, columns = (torch.from_numpy(m) for m in self.pyramid.finest_to_pixels)
        return rows.to(self.device), columns.to(self.device)

    def _onto(self, target: Level, levels: Sequence[Level]) -> list[Matrices]:
        every = dict(zip(self.pyramid.levels, self.pyramid.onto(target), strict=True))
        found = []
        for level in levels:
            rows, columns = (torch.from_numpy(m).to(self.device) for m in every[level])
            found.append((rows, columns))
        return found


@dataclass(frozen=True)
class ShotsFeatures:
    """Features of B shots of T frames each.

    Attributes:
        geometry: of each.
        levels: (B · T, C, h, w) a stride, finest first.
        on_grid: (B, T · n, C) of all strides, on the n vertices of the grid on which pixels are
            read.
    """

    geometry: Geometry
    levels: list[Tensor]
    on_grid: Tensor

    @classmethod
    @torch.no_grad()
    def read(
        cls, backbone: Backbone, images: npt.NDArray[np.uint8], device: torch.device
    ) -> ShotsFeatures:
        """Run a backbone over shots.

        Args:
            backbone: the network.
            images: (B, T, H, W, 3).
            device: where the features are wanted.
        """
        shots, size = len(images), (images.shape[2], images.shape[3])
        geometry = Geometry(Pyramid(size, size, backbone.levels(*size)), device)
        every = _tensors(backbone, images.reshape(-1, *images.shape[2:]), device)
        levels = [
            torch.cat(
                [t for level, t in zip(geometry.pyramid.levels, every, strict=True)
                 if level.stride == one.stride], -1,
            ).float().permute(0, 3, 1, 2)
            for one in geometry.strides
        ]  # fmt: skip
        on_grid = torch.cat(
            [
                (rows @ level @ columns).flatten(2)
                for level, (rows, columns) in zip(levels, geometry.to_grid, strict=True)
            ],
            1,
        )  # (B · T, C, n)
        on_grid = on_grid.view(shots, -1, *on_grid.shape[1:]).movedim(2, 3).flatten(1, 2)
        return cls(geometry, levels, on_grid.contiguous())


def _tensors(
    backbone: Backbone, frames: npt.NDArray[np.uint8], device: torch.device
) -> list[Tensor]:
    """Features of frames (N, H, W, 3): (N, h, w, C) a level."""
    if isinstance(backbone, TorchBackbone):
        return backbone.tensors(torch.from_numpy(frames).to(device))
    if isinstance(backbone, SideBySide):
        size = frames.shape[1], frames.shape[2]
        parts = [
            (level.stride, tensor)
            for one in backbone.networks
            for level, tensor in zip(one.levels(*size), _tensors(one, frames, device), strict=True)
        ]
        return [tensor for _, tensor in sorted(parts, key=lambda part: part[0])]
    return [torch.from_numpy(level).to(device) for level in backbone.features(frames)]
