"""What is still to be made of a clip, told from stamps: no clip and no features are read.

A clip that was changed after it was extracted, as far as the file system tells, is the exception:
it is read, for its fingerprint.
"""

from __future__ import annotations

import calendar
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vostool.adapter import Adapter
from vostool.batch.task import Task
from vostool.checkpoints import fingerprint
from vostool.clips import open_clip
from vostool.errors import AdapterError, VostoolError
from vostool.microscopy import is_zarr
from vostool.outputs import listed_origin
from vostool.pipeline.context import context_key
from vostool.pipeline.extraction import backbone_key
from vostool.pipeline.mask_stamp import mask_stamp
from vostool.sequences import is_pattern
from vostool.store import STAGES, STAGES_OF, CacheKey, FeatureStore, Stamp
from vostool.store.layout import is_name
from vostool.weights import find_weights

BEGINNING = 3.0
"""Seconds that a command takes to begin, of which stamps do not tell."""


class _Masks:
    """What a clip's masks are to be made from, whatever the clip.

    Args:
        adapter: with which they are made.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._of_any = mask_stamp([(adapter, CacheKey({}))])

    def check_reads(self, networks: Mapping[str, Any]) -> None:
        """Make sure that the adapter reads features of these networks.

        Raises:
            AdapterError: it reads others.
        """
        theirs = self._adapter.provenance.networks
        ours = {name: networks[name] for name in theirs if name in networks}
        why = CacheKey(ours).difference(CacheKey({name: theirs[name] for name in ours}))
        if why:
            raise AdapterError(
                f"the adapter of {self._adapter.names} reads other features than those that are "
                f"to be made ({why}); give the options of its clips' extract and propagate"
            )

    def stamp(self, backbone: Stamp | None, context: Stamp | None) -> dict[str, Any] | None:
        """Of the masks of a clip; None where what they are made from is not there."""
        kinds = STAGES_OF[self._adapter.provenance.features]
        made_from: dict[str, Any] = {}
        for stage in ({"backbone": backbone, "context": context}[kind] for kind in kinds):
            if stage is None:
                return None
            made_from |= stage.cache_key.made_from
        return {**self._of_any, "adapters": [[self._adapter.digest, CacheKey(made_from).digest]]}


@dataclass(frozen=True)
class Look:
    """What a look at a clip's stamps has told.

    Attributes:
        missing: the stages that are to be made: those from the first that is not there, or not
            right.
        seconds: that stages have taken which are there.
    """

    missing: tuple[str, ...]
    seconds: dict[str, float]


class Stamps:
    """Holds what is stored of clips against what a task wants.

    Args:
        task: what is wanted.

    Raises:
        WeightsError: weights that it names are missing.
        AdapterError: its adapter cannot be read, or reads other features than it makes.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._store = FeatureStore(task.store)
        self._any_clip = backbone_key("", task.backbone, task.weights, task.network_height)
        self._model = fingerprint(find_weights(task.model))
        self._masks = None if task.adapter is None else _Masks(Adapter.read(task.adapter))
        if self._masks is not None and "extract" in task.stages:
            self._masks.check_reads({**self._any_clip.made_from, "model": self._model})

    def look(self, clip: str, source: str) -> Look:
        """What is there of a clip, and what is to be made.

        Args:
            clip: its name.
            source: its file or folder; its name again, where no stage needs its frames.
        """
        stages = self._task.stages
        if not is_name(clip):  # which the job will tell of
            return Look(stages, {})
        stored = self._store.clip(clip)
        backbone, context = (stored.stamp(self._task.backbone, kind) for kind in STAGES)
        made = {"extract": backbone, "propagate": context}
        seconds = {stage: _seconds(stamp) for stage, stamp in made.items() if stamp is not None}
        is_right = {
            "extract": lambda: self._is_of_clip(backbone, source),
            "propagate": lambda: self._is_of_features(context, backbone),
            "render": lambda: self._masks_are_right(clip, backbone, context),
        }
        first = next((n for n, stage in enumerate(stages) if not is_right[stage]()), len(stages))
        return Look(stages[first:], seconds)

    def _is_of_clip(self, backbone: Stamp | None, source: str) -> bool:
        if backbone is None:
            return False
        made_from = {**self._any_clip.made_from, "clip": _fingerprint(source, backbone)}
        return backbone.cache_key == CacheKey(made_from)

    def _is_of_features(self, context: Stamp | None, backbone: Stamp | None) -> bool:
        if context is None or backbone is None:
            return False
        return context.cache_key == context_key(backbone.cache_key, self._model)

    def _masks_are_right(self, clip: str, backbone: Stamp | None, context: Stamp | None) -> bool:
        wanted = None if self._masks is None else self._masks.stamp(backbone, context)
        return wanted is not None and listed_origin(self._task.masks(clip)) == wanted


def _seconds(stamp: Stamp) -> float:
    return BEGINNING + float(stamp.cache_key.made_by.get("seconds", 0))


def _fingerprint(source: str, stamp: Stamp) -> str | None:
    """A clip's fingerprint: by its stamp, or of its content where that may have changed."""
    path, metadata = Path(source), stamp.metadata
    plain = (metadata.start, metadata.stop) == (0, None) and not metadata.reading
    if plain and metadata.source == str(path.resolve()) and not _changed(path, stamp):
        return metadata.fingerprint
    if not plain:
        return None
    try:
        return open_clip(path).fingerprint
    except VostoolError:  # which the job will tell of
        return None


def _changed(path: Path, stamp: Stamp) -> bool:
    """Whether anything of a clip was changed since its features were begun, or cannot be told."""
    try:
        told = stamp.cache_key.made_by["time"]
        made = calendar.timegm(time.strptime(told, "%Y-%m-%dT%H:%M:%SZ"))
        return any(max(one.st_mtime, one.st_ctime) >= made for one in _entries(path))
    except (OSError, KeyError, TypeError, ValueError):
        return True


def _entries(path: Path) -> Iterator[os.stat_result]:
    """What the file system tells of a clip's files, and of the folder that lists them."""
    folder = path.parent if is_pattern(path) else path
    yield folder.stat()
    if folder.is_dir():
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_zarr(path) and entry.is_dir():
                    yield from _below(Path(entry.path))
                else:
                    yield entry.stat()


def _below(folder: Path) -> Iterator[os.stat_result]:
    """Of a folder, and of all that lies in it however deep: a zarr's chunks lie so."""
    yield folder.stat()
    for below, folders, files in os.walk(folder):
        yield from (Path(below, name).stat() for name in (*folders, *files))


def source_bytes(source: str) -> int:
    """The bytes of a clip's files; 0 where there are none."""
    path = Path(source)
    try:
        every = [one.st_size for one in _entries(path)]
    except OSError:
        return 0
    return sum(every[1:]) or every[0]
