"""What a classifier reads of a clip: one stage's features, or the backbone's and the context's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from vostool.errors import StaleStageError
from vostool.pyramid import Pyramid
from vostool.store.cache_key import CacheKey
from vostool.store.stage import ClipMetadata, Features, Stage

STAGES = ("backbone", "context")
"""What can be stored of a clip and network, in the order in which it is made."""
STAGES_OF = {"backbone": ("backbone",), "context": ("context",), "both": STAGES}
"""The stages of each kind of features that a classifier can read."""


class FeatureReader(Protocol):
    """Features of every frame of one clip, read as they are asked for."""

    @property
    def kind(self) -> str:
        """What is read, one of :data:`STAGES_OF`."""

    @property
    def network(self) -> str:
        """The network that they come from."""

    @property
    def clip_name(self) -> str:
        """The clip that they belong to."""

    @property
    def frames(self) -> int:
        """How many frames the clip has."""

    @property
    def metadata(self) -> ClipMetadata:
        """What the store remembers of the clip."""

    @property
    def pyramid(self) -> Pyramid:
        """The features' geometry."""

    @property
    def cache_key(self) -> CacheKey:
        """What they were made from."""

    def read(self, start: int, stop: int) -> Features:
        """Features of the frames start..stop-1, (T, h, w, C) a level."""

    def read_frame(self, frame: int) -> Features:
        """Features of one frame, (h, w, C) a level."""

    def by_chunk(self) -> Iterator[tuple[int, Features]]:
        """Walk through the clip: the number of the first frame, and a chunk's features."""

    def check_unchanged(self) -> None:
        """Make sure that what was read came from one run, not from two."""


class ConcatFeatures:
    """A :class:`FeatureReader` of two stages, the backbone's levels before the context's.

    Args:
        backbone, context: the stages, of one clip.

    Raises:
        StaleStageError: the context was made from other backbone features.
    """

    kind = "both"

    def __init__(self, backbone: Stage, context: Stage) -> None:
        if context.cache_key.made_from.get("features") != backbone.cache_key.digest:
            raise StaleStageError(
                f"{backbone.clip_name}: its context was made from other backbone features",
                *(context.clip_name, context.network, context.kind),
            )
        self._stages = backbone, context
        self.network, self.clip_name = backbone.network, backbone.clip_name
        self.frames = backbone.frames
        self.metadata = backbone.metadata
        self.cache_key = CacheKey({**backbone.cache_key.made_from, **context.cache_key.made_from})
        self.pyramid = backbone.pyramid.with_context(context.pyramid)

    def read(self, start: int, stop: int) -> Features:
        """Features of the frames start..stop-1, (T, h, w, C) a level."""
        return [level for stage in self._stages for level in stage.read(start, stop)]

    def read_frame(self, frame: int) -> Features:
        """Features of one frame, (h, w, C) a level."""
        return [level for stage in self._stages for level in stage.read_frame(frame)]

    def by_chunk(self) -> Iterator[tuple[int, Features]]:
        """Walk through the clip: the number of the first frame, and a chunk's features."""
        backbone, context = self._stages
        for (start, ours), (_, theirs) in zip(backbone.by_chunk(), context.by_chunk(), strict=True):
            yield start, ours + theirs

    def check_unchanged(self) -> None:
        """Make sure that what was read came from one run, not from two.

        Raises:
            StoreError: another run has put a new stage into an old one's place meanwhile.
        """
        for stage in self._stages:
            stage.check_unchanged()
