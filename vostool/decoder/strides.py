"""What the decoder reads of the features: a grid a stride, however many levels lie on it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from vostool.pyramid import Pyramid


def stride_channels(pyramid: Pyramid) -> tuple[int, ...]:
    """The channels at each stride of the backbone, finest first."""
    levels = pyramid.backbone.levels
    return tuple(
        sum(level.shape[2] for level in same)
        for _, same in groupby(levels, key=lambda level: level.stride)
    )


def by_stride(
    pyramid: Pyramid, levels: Sequence[npt.NDArray[np.float16]]
) -> list[npt.NDArray[np.float16]]:
    """The backbone's features (T, h, w, C) a stride, finest first.

    Args:
        pyramid: their geometry.
        levels: (T, h, w, C) each, with those of the context where it is read.
    """
    pairs = zip(pyramid.backbone.levels, pyramid.of_backbone(levels), strict=True)
    strides = [
        [level for _, level in same] for _, same in groupby(pairs, key=lambda pair: pair[0].stride)
    ]
    return [same[0] if len(same) == 1 else np.concatenate(same, axis=-1) for same in strides]
