"""A network as the rest of vostool sees it: stages in, levels of features out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from vostool.backbones.backbone import SHORTEST, LevelShape, levels_of
from vostool.checkpoints import Arrange, Rename, as_they_are, load_weights
from vostool.pyramid import Level

Net = TypeVar("Net", bound=nn.Module)


class FeatureExtractor(nn.Module, ABC):
    """A network without its classification layer."""

    @abstractmethod
    def stages(self, x: Tensor) -> list[Tensor]:
        """What is read of it.

        Args:
            x: (B, 3, H, W), normalised as the network wants it.

        Returns:
            (B, C, h, w) each; a stage of stride s has h = ceil(H / s) rows.
        """

    def fold_batch_norms(self) -> None:
        """Fold each batch norm into the convolution before it: the same map, fewer steps."""
        for unit in self.modules():
            norm, conv = (getattr(unit, name, None) for name in ("bn", "conv"))
            if isinstance(norm, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d):
                unit.conv = torch.nn.utils.fuse_conv_bn_eval(conv, norm)
                unit.bn = nn.Identity()


@dataclass(frozen=True)
class Loadable(Generic[Net]):
    """A network whose weights are public.

    Attributes:
        build: makes it, untrained.
        rename: from tensors' names in public files to its own.
        arrange: where public files are laid out in several ways, from any of them to one.
    """

    build: Callable[[], Net]
    rename: Rename
    arrange: Arrange = field(default=as_they_are, kw_only=True)

    def loaded(self, weights: Path | None) -> Net:
        """The network, with the weights of a file, or with random ones that are always the same.

        Raises:
            WeightsError: the file is broken, or another network's.
        """
        if weights is not None:
            network = self.build()
            load_weights(network, weights, self.rename, self.arrange)
            return network
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = self.build()
            for module in network.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        return network


@dataclass(frozen=True)
class Architecture(Loadable[FeatureExtractor]):
    """A backbone: how it is built, what it takes and what is read of it.

    Attributes:
        build, rename, arrange: as of any.
        normalise: from frames (B, H, W, 3) in 0..255, RGB, to what it takes, (B, 3, H, W).
        shapes: the levels, finest first.
    """

    normalise: Callable[[Tensor], Tensor]
    shapes: Sequence[LevelShape]

    @property
    def channels(self) -> int:
        """How many features a pixel has, over all levels."""
        return sum(shape.channels for shape in self.shapes)

    def levels(self, height: int, width: int) -> tuple[Level, ...]:
        """The grids of frames of this size, finest first."""
        return levels_of(self.shapes, height, width)

    def pyramid(self, stages: Sequence[Tensor]) -> list[Tensor]:
        """Stages as the levels of features: (B, h, w, C) float32 each, finest first.

        Each stage is L2-normalised per vertex, so that they weigh alike, and so that λ of Eq. 3
        means the same for every network.
        """
        levels = []
        for shape in self.shapes:
            grids = [stages[n].permute(0, 2, 3, 1).float() for n in shape.stages]
            unit = [functional.normalize(grid, dim=-1, eps=SHORTEST) for grid in grids]
            levels.append(torch.cat(unit, dim=-1))
        return levels
