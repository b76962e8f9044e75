"""The feature store: one zarr group a clip, one group a network and stage. It knows no torch."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from vostool.errors import (
    MissingStageError,
    StoreError,
    UnknownClipError,
    UnreadableStageError,
)
from vostool.files import unwritable
from vostool.store.cache_key import CacheKey
from vostool.store.layout import (
    PARTIAL,
    SUFFIX,
    check_name,
    clip_folder,
    is_name,
    partial_folder,
)
from vostool.store.manifest import NAME as MANIFEST
from vostool.store.readers import STAGES, STAGES_OF, ConcatFeatures, FeatureReader, KeptFeatures
from vostool.store.stage import ClipMetadata, Features, Stage
from vostool.store.stamp import Stamp, read_stamp
from vostool.store.writer import StageWriter, clip_lock, update_source

__all__ = [
    "STAGES",
    "STAGES_OF",
    "CacheKey",
    "ClipMetadata",
    "ConcatFeatures",
    "FeatureReader",
    "FeatureStore",
    "Features",
    "KeptFeatures",
    "Stage",
    "StageWriter",
    "Stamp",
    "StoredClip",
    "update_source",
]


@dataclass(frozen=True, init=False)
class FeatureStore:
    """A folder of clips' features.

    Attributes:
        root: the folder; made when something is first written to it.
    """

    root: Path

    def __init__(self, root: str | Path) -> None:
        object.__setattr__(self, "root", Path(root))

    def names(self) -> list[str]:
        """The clips that have a finished stage or an unfinished one, in order."""
        finished = (entry.name.removesuffix(SUFFIX) for entry in self.root.glob(f"[!.]*{SUFFIX}"))
        unfinished = (entry.name for entry in (self.root / PARTIAL).glob("*"))
        return sorted(name for name in {*finished, *unfinished} if is_name(name))

    def clip(self, name: str) -> StoredClip:
        """A clip by name, whether anything of it is stored or not.

        Raises:
            ClipNameError: nothing can be called so.
        """
        return StoredClip(self, check_name(name))


@dataclass(frozen=True)
class StoredClip:
    """What a store holds of one clip.

    Attributes:
        store: the store.
        name: the clip.
    """

    store: FeatureStore
    name: str

    @property
    def folder(self) -> Path:
        """The folder of its finished stages."""
        return clip_folder(self.store.root, self.name)

    @property
    def _partial(self) -> Path:
        return partial_folder(self.store.root, self.name)

    def networks(self) -> list[str]:
        """The networks that it has stages of, finished or not, in order."""
        places = (self.folder, self._partial)
        return sorted({e.name for place in places for e in place.glob("*") if e.is_dir()})

    def stage(self, network: str, stage: str) -> Stage:
        """Open a finished stage, one of :data:`STAGES`.

        Raises:
            MissingStageError: it has not been made.
            BrokenStageError: it is not whole.
            UnreadableStageError: permissions or a failing disk are in the way.
        """
        folder = self.folder / network / stage
        with suppress(PermissionError):  # which opening it tells of
            if not (folder / MANIFEST).exists():
                raise MissingStageError(self.store.root, self.name, network, stage)
        return Stage(folder, self.name)

    def stamp(self, network: str, stage: str) -> Stamp | None:
        """What a finished stage says of itself, or None; see :func:`vostool.store.stamp`."""
        return read_stamp(self.folder / network / stage)

    def find(self, network: str, stage: str) -> Stage | None:
        """A finished stage, or None where it has not been made or is not whole.

        Raises:
            UnreadableStageError: permissions or a failing disk are in the way.
        """
        try:
            return self.stage(network, stage)
        except UnreadableStageError:
            raise
        except StoreError:
            return None

    def features(self, network: str, kind: str) -> FeatureReader:
        """Open what a classifier reads.

        Args:
            network: whose features.
            kind: one of :data:`STAGES_OF`.

        Raises:
            MissingStageError: a stage has not been made.
            BrokenStageError: one is not whole, or the context is of other backbone features.
        """
        stages = [self.stage(network, stage) for stage in STAGES_OF[kind]]
        return ConcatFeatures(*stages) if len(stages) > 1 else stages[0]

    def unfinished(self, network: str) -> list[str]:
        """The stages that a run has begun and not finished."""
        return [stage for stage in STAGES if (self._partial / network / stage).exists()]

    def writer(
        self,
        network: str,
        stage: str,
        cache_key: CacheKey,
        *,
        has_state: bool = False,
        begun: float | None = None,
    ) -> StageWriter:
        """Begin a stage, or take up an unfinished one. Hold :meth:`lock` meanwhile."""
        return StageWriter(
            self.store.root,
            self.name,
            network,
            stage,
            cache_key,
            has_state=has_state,
            begun=begun,
        )

    def lock(self, on_wait: Callable[[], None] = lambda: None) -> AbstractContextManager[None]:
        """Hold it for writing; see :func:`vostool.store.writer.clip_lock`."""
        return clip_lock(self.store.root, self.name, on_wait)

    def remove(
        self,
        network: str | None = None,
        stage: str | None = None,
        *,
        on_wait: Callable[[], None] = lambda: None,
    ) -> None:
        """Remove all that is stored of it, or one network's part, or one stage, finished or not.

        Args:
            network: what this network made alone; a stage needs it.
            stage: this stage alone.
            on_wait: called once if another run holds the clip and this one has to wait.

        Raises:
            UnknownClipError: there is no such thing.
            OutputError: it cannot be removed.
        """
        folders = [self.folder, self._partial]
        if network is not None:
            folders = [folder / network / (stage or "") for folder in folders]
        there = [folder for folder in folders if folder.exists()]
        # A network is what lies in the clip's folder, and no path that leads out of it.
        if not there or (network is not None and network not in self.networks()):
            what = " of ".join(part for part in (stage, network, self.name) if part)
            raise UnknownClipError(f"{what}: not in {self.store.root}")
        with self.lock(on_wait):
            for folder in there:
                try:
                    shutil.rmtree(folder)
                except OSError as problem:
                    raise unwritable(folder, problem) from problem
