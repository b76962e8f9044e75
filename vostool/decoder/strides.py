"""What the decoder reads of the features: a grid a stride, however many levels lie on it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import torch
from torch import Tensor

from vostool.pyramid import Pyramid


def stride_channels(pyramid: Pyramid) -> tuple[int, ...]:
    """The channels at each stride of the backbone, finest first."""
    levels = pyramid.backbone.levels
    return tuple(
        sum(level.shape[2] for level in same)
        for _, same in groupby(levels, key=lambda level: level.stride)
    )


def by_stride(pyramid: Pyramid, levels: Sequence[Tensor]) -> list[Tensor]:
    """The backbone's features (T, C, h, w) a stride, finest first.

    Args:
        pyramid: their geometry.
        levels: (T, h, w, C) each, with those of the context where it is read.
    """
    pairs = zip(pyramid.backbone.levels, pyramid.of_backbone(levels), strict=True)
    return [
        torch.cat([level.permute(0, 3, 1, 2) for _, level in same], 1)
        for _, same in groupby(pairs, key=lambda pair: pair[0].stride)
    ]
