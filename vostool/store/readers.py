"""What a classifier reads of a clip: one stage's features, or the backbone's and the context's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Protocol

from vostool.errors import StaleStageError
from vostool.pyramid import Pyramid
from vostool.store.cache_key import CacheKey
from vostool.store.layout import CHUNK_FRAMES
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

    @property
    def networks(self) -> dict[str, Any]:
        """What made them, whatever the clip: of the cache key's words those that tell no clip."""

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
        self.networks = {**backbone.networks, "model": context.cache_key.made_from.get("model")}
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


class KeptFeatures:
    """A :class:`FeatureReader` that keeps what it has read, within a bound.

    A chunk is read and held against its checksum once, and given out without a copy as long as it
    is kept; those that were not asked for longest go first.

    Args:
        reader: the features.
        most_bytes: of memory; the last chunk that was read is kept whatever it takes.
    """

    def __init__(self, reader: FeatureReader, most_bytes: int) -> None:
        self._reader, self._most_bytes = reader, most_bytes
        self.kind, self.network, self.clip_name = reader.kind, reader.network, reader.clip_name
        self.frames, self.metadata = reader.frames, reader.metadata
        self.pyramid, self.cache_key = reader.pyramid, reader.cache_key
        self.networks = reader.networks
        self._chunks: OrderedDict[int, Features] = OrderedDict()

    def read(self, start: int, stop: int) -> Features:
        """Features of the frames start..stop-1, (T, h, w, C) a level; not to be written to."""
        first, last = start // CHUNK_FRAMES, (stop - 1) // CHUNK_FRAMES
        if first != last:
            return self._reader.read(start, stop)
        begin = first * CHUNK_FRAMES
        return [level[start - begin : stop - begin] for level in self._chunk(first)]

    def read_frame(self, frame: int) -> Features:
        """Features of one frame, (h, w, C) a level; not to be written to."""
        return [level[0] for level in self.read(frame, frame + 1)]

    def by_chunk(self) -> Iterator[tuple[int, Features]]:
        """Walk through the clip: the number of the first frame, and a chunk's features."""
        for start in range(0, self.frames, CHUNK_FRAMES):
            yield start, self._chunk(start // CHUNK_FRAMES)

    def check_unchanged(self) -> None:
        """Make sure that what was read came from one run, not from two."""
        self._reader.check_unchanged()

    def _chunk(self, number: int) -> Features:
        if number not in self._chunks:
            start = number * CHUNK_FRAMES
            read = self._reader.read(start, min(start + CHUNK_FRAMES, self.frames))
            taken = sum(level.nbytes for level in read)
            while self._chunks and self._taken() + taken > self._most_bytes:
                self._chunks.popitem(last=False)
            self._chunks[number] = read
        self._chunks.move_to_end(number)
        return self._chunks[number]

    def _taken(self) -> int:
        return sum(level.nbytes for levels in self._chunks.values() for level in levels)
