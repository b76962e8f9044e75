"""A finished stage: a reader sees all of it or none."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.errors import BaseZarrError

from vostool.errors import BrokenStageError, StoreError, UnreadableStageError
from vostool.files import parse_json, reason
from vostool.pyramid import Level, Pyramid
from vostool.store.cache_key import CacheKey
from vostool.store.layout import CHUNK_FRAMES, chunk_name
from vostool.store.manifest import NAME as MANIFEST
from vostool.store.manifest import Manifest, MismatchError
from vostool.store.stage_files import StageFiles

Features = list[npt.NDArray[np.float16]]
"""An array (frames, h, w, C) a level, finest level first."""

NOT_A_STAGE = (AttributeError, KeyError, TypeError, ValueError, OSError, BaseZarrError)
"""What comes of metadata that are cut short, or that are not ours."""
CLOSED = (errno.EACCES, errno.EPERM, errno.EIO)
"""What a system says that does not let a file be read, which tells nothing of its bytes."""


@dataclass(frozen=True)
class ClipMetadata:
    """What the store remembers of a clip, so that later commands need not open it.

    Attributes:
        source: where its frames came from.
        start, stop: the range of source frames.
        size: (H, W) of a frame.
        fps: frames a second.
        fingerprint: of the frames' content.
        reading: how they were read, by :meth:`vostool.reading.Reading.as_dict`.
    """

    source: str
    start: int
    stop: int | None
    size: tuple[int, int]
    fps: float
    fingerprint: str
    reading: dict[str, Any] = field(default_factory=dict)


class Stage:
    """Features of every frame of one clip, read as they are asked for.

    Args:
        files: the stage's files.
        clip_name: the clip it belongs to.

    Raises:
        BrokenStageError: the files are no whole stage.
        UnreadableStageError: permissions or a failing disk are in the way.
    """

    def __init__(self, files: StageFiles, clip_name: str) -> None:
        self.files = files
        self.clip_name = clip_name
        try:
            self.manifest = Manifest.from_json(files.read(MANIFEST).decode())
            files.check_presence(self.manifest)
            group = zarr.open_group(files.opened(self.manifest), mode="r")
            attributes: dict[str, Any] = dict(group.attrs)
            self.cache_key = CacheKey.from_dict(attributes["stamp"])
            self.frames = int(attributes["frames"])
            self.metadata = metadata_of(attributes["clip"] | read_source(files))
            names, strides = attributes["levels"], attributes["strides"]
            self._arrays = [_array(group, name) for name in names]
            network_height, network_width = attributes["network_size"]
            self.pyramid = Pyramid(
                self.metadata.size,
                (network_height, network_width),
                tuple(
                    Level(name, stride, (array.shape[1], array.shape[2], array.shape[3]))
                    for name, stride, array in zip(names, strides, self._arrays, strict=True)
                ),
                context_levels=len(names) if self.kind == "context" else 0,
            )
        except NOT_A_STAGE as problem:
            raise self._error(f"{files}: not a whole stage ({problem})", problem) from problem
        for name in names:
            for chunk in range(self.chunks):
                if f"{name}/{chunk_name(chunk)}" not in self.manifest.files:
                    raise self._broken(f"{files}: not a whole stage (no chunk {chunk} of {name})")

    @property
    def network(self) -> str:
        """The network that the features come from."""
        return self.files.network

    @property
    def kind(self) -> str:
        """Which stage it is, ``backbone`` or ``context``."""
        return self.files.kind

    @cached_property
    def networks(self) -> dict[str, Any]:
        """What made the features, whatever the clip: of the cache key's words those that tell none.

        A context's are its backbone's, too. Where that is gone, the digest of its features stands
        for it, which no other clip's context has.
        """
        made_from = {k: v for k, v in self.cache_key.made_from.items() if k != "clip"}
        if self.kind == "backbone":
            return made_from
        try:
            backbone = Stage(self.files.beside("backbone"), self.clip_name)
        except StoreError:
            return made_from
        if backbone.cache_key.digest != made_from.get("features"):
            return made_from
        return {**backbone.networks, "model": made_from.get("model")}

    @property
    def chunks(self) -> int:
        """How many chunks a level has."""
        return -(-self.frames // CHUNK_FRAMES)

    @property
    def seconds(self) -> float:
        """How long the stage took to make."""
        return float(self.cache_key.made_by["seconds"])

    @property
    def place(self) -> str:
        """Where it lies: a folder, or the URL of objects."""
        return str(self.files)

    @cached_property
    def bytes(self) -> int:
        """What the stage takes in its place."""
        return self.files.size()

    def read(self, start: int, stop: int) -> Features:
        """Features of the frames start..stop-1.

        Raises:
            BrokenStageError: a chunk does not match its checksum.
            UnreadableStageError: permissions or a failing disk are in the way.
        """
        return [self._read(array, slice(start, stop)) for array in self._arrays]

    def read_frame(self, frame: int) -> Features:
        """Features of one frame, (h, w, C) a level."""
        return [level[0] for level in self.read(frame, frame + 1)]

    def by_chunk(self, chunks_at_once: int = 1) -> Iterator[tuple[int, Features]]:
        """Walk through the clip: the number of the first frame, and some chunks' features."""
        step = CHUNK_FRAMES * chunks_at_once
        for start in range(0, self.frames, step):
            yield start, self.read(start, min(start + step, self.frames))

    def broken_files(self) -> Iterator[tuple[str, OSError]]:
        """Read every file again; name those that are not what was written, and why.

        The reason is a ``MismatchError`` of the manifest where the bytes are others,
        and any other error where a file cannot be read, which tells nothing of its bytes.
        """
        paths = {self.manifest.place(path): path for path in self.manifest.files}
        for place, content in self.files.read_each(paths):
            try:
                if isinstance(content, OSError):
                    raise content
                self.manifest.check(paths[place], content, self.place)
            except OSError as problem:
                yield f"{self.place}/{place}", problem

    def check_unchanged(self) -> None:
        """Make sure that what was read came from one stage, not from two.

        Raises:
            StoreError: the stage was removed, or another run has put a new one into its place.
        """
        try:
            same = Stage(self.files, self.clip_name).cache_key == self.cache_key
        except StoreError:
            same = False
        if not same:
            raise StoreError(f"{self.place}: was changed while it was read; run this again")

    def _read(self, array: zarr.Array[Any], frames: slice) -> npt.NDArray[np.float16]:
        try:
            return np.asarray(array[frames], np.float16)
        except MismatchError as problem:
            raise self._broken(str(problem)) from problem
        except (ValueError, OSError, BaseZarrError) as problem:
            raise self._error(f"{self.place}: cannot be read ({problem})", problem) from problem

    def _error(self, message: str, problem: Exception) -> StoreError:
        """The error for what went wrong: where the stage may be whole, one without that mend."""
        if isinstance(problem, OSError) and problem.errno in CLOSED:
            what = problem.filename or self.place
            return UnreadableStageError(
                f"{what}: cannot be read ({reason(problem)}); it may be whole: make it readable",
                self.clip_name, self.network, self.kind,
            )  # fmt: skip
        return self._broken(message)

    def _broken(self, message: str) -> BrokenStageError:
        return BrokenStageError(message, self.clip_name, self.network, self.kind)


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    if not isinstance(array, zarr.Array) or array.ndim != 4:
        raise ValueError(f"{name} is no array of features")
    return array


def read_source(files: StageFiles) -> dict[str, Any]:
    """Where a stage's clip lies now, if it was moved since; nothing where that is not known."""
    try:
        stored = parse_json(files.read_source().decode())
        return {"source": str(stored["source"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def update_source(stage: Stage, metadata: ClipMetadata) -> None:
    """Remember where an unchanged clip lies now."""
    if stage.metadata.source != metadata.source:
        stage.files.write_source(json.dumps({"source": metadata.source}).encode())


def metadata_of(stored: dict[str, Any]) -> ClipMetadata:
    """A clip's metadata, as a stage's attributes hold them."""
    height, width = stored["size"]
    return ClipMetadata(
        str(stored["source"]),
        stored["start"],
        stored["stop"],
        (height, width),
        stored["fps"],
        str(stored["fingerprint"]),
        dict(stored.get("reading", {})),
    )
