"""Features of a shot in memory, for sessions that no store is made for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from vostool.backbones import Backbone
from vostool.pyramid import Pyramid
from vostool.store import CacheKey, ClipMetadata, Features


@dataclass(frozen=True)
class ShotFeatures:
    """A :class:`vostool.store.FeatureReader` of a shot, in memory, as the store would hold it.

    Attributes:
        features: (T, h, w, C) a level.
        pyramid: their geometry.
    """

    features: Features
    pyramid: Pyramid
    kind: str = "backbone"
    network: str = ""
    clip_name: str = "shot"

    @property
    def frames(self) -> int:
        """How many frames the shot has."""
        return len(self.features[0])

    @property
    def metadata(self) -> ClipMetadata:
        """A shot has no source."""
        return ClipMetadata("", 0, None, self.pyramid.clip_size, 24.0, "")

    @property
    def cache_key(self) -> CacheKey:
        """Nothing is kept."""
        return CacheKey({})

    @property
    def networks(self) -> dict[str, Any]:
        """No adapter is kept, either."""
        return {}

    def read(self, start: int, stop: int) -> Features:
        """Features of the frames start..stop-1, (T, h, w, C) a level."""
        return [level[start:stop] for level in self.features]

    def read_frame(self, frame: int) -> Features:
        """Features of one frame, (h, w, C) a level."""
        return [level[frame] for level in self.features]

    def by_chunk(self) -> Iterator[tuple[int, Features]]:
        """All frames at once."""
        yield 0, self.features

    def check_unchanged(self) -> None:
        """Nothing changes in memory."""


@torch.inference_mode()
def read_shot(images: npt.NDArray[np.uint8], backbone: Backbone) -> ShotFeatures:
    """Run a backbone over a shot.

    Args:
        images: (T, H, W, 3).
        backbone: the network.
    """
    size = images.shape[1], images.shape[2]
    pyramid = Pyramid(size, size, backbone.levels(*size))
    return ShotFeatures(backbone.features(images), pyramid)
