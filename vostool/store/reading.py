"""What a classifier reads of a clip: one stage's features, or the backbone's and the context's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from vostool.backbones import DEFAULT
from vostool.errors import StoreError
from vostool.pyramid import Pyramid
from vostool.store.stage import ClipFacts, Features, Stage, open_stage
from vostool.store.stamp import Stamp

READS = {"backbone": ("backbone",), "context": ("context",), "both": ("backbone", "context")}
"""The stages by what a user calls them together."""


class Readable(Protocol):
    """Features of every frame of one clip, read from disk as they are asked for."""

    @property
    def name(self) -> str:
        """What is read, one of :data:`READS`."""

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
    def facts(self) -> ClipFacts:
        """What the store remembers of the clip."""

    @property
    def pyramid(self) -> Pyramid:
        """The features' geometry."""

    @property
    def stamp(self) -> Stamp:
        """What they were made from."""

    def read(self, start: int, stop: int) -> Features:
        """Features of the frames start..stop-1, (T, h, w, C) a level."""

    def read_frame(self, frame: int) -> Features:
        """Features of one frame, (h, w, C) a level."""

    def by_chunk(self) -> Iterator[tuple[int, Features]]:
        """Walk through the clip: the number of the first frame, and a chunk's features."""

    def check_unchanged(self) -> None:
        """Make sure that what was read came from one run, not from two."""


class Both:
    """A :class:`Readable` of two stages, the backbone's levels before the context's.

    Args:
        backbone, context: the stages, of one clip.

    Raises:
        StoreError: the context was made from other backbone features.
    """

    name = "both"

    def __init__(self, backbone: Stage, context: Stage) -> None:
        if context.stamp.made_from.get("features") != backbone.stamp.key:
            option = "" if backbone.network == DEFAULT else f" --backbone {backbone.network}"
            raise StoreError(
                f"{backbone.clip_name}: its context was made from other backbone features; "
                f"make it again with: vostool propagate {backbone.clip_name}{option}"
            )
        self._stages = backbone, context
        self.network, self.clip_name = backbone.network, backbone.clip_name
        self.frames = backbone.frames
        self.facts = backbone.facts
        self.stamp = Stamp({**backbone.stamp.made_from, **context.stamp.made_from})
        self.pyramid = backbone.pyramid.beside(context.pyramid)

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


def open_features(store: Path, name: str, network: str, features: str) -> Readable:
    """Open what a classifier reads.

    Args:
        store: the store's folder.
        name: the clip.
        network: whose features.
        features: one of :data:`READS`.

    Raises:
        StoreError: it has not been made; the message says which command makes it.
    """
    stages = [open_stage(store, name, network, stage) for stage in READS[features]]
    return Both(*stages) if len(stages) > 1 else stages[0]
