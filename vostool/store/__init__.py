"""The feature store: one zarr group a clip, one group a stage. It knows no torch."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from vostool.backbones import DEFAULT
from vostool.errors import StoreError
from vostool.store.layout import (
    PARTIAL,
    SUFFIX,
    check_name,
    clip_folder,
    is_name,
    partial_folder,
)
from vostool.store.reading import READS, Readable, open_features
from vostool.store.stage import ClipFacts, Features, Stage, open_stage
from vostool.store.stamp import Stamp
from vostool.store.writing import StageWriter, clip_lock, unwritable, update_source

__all__ = [
    "READS",
    "ClipFacts",
    "FeatureStore",
    "Features",
    "Readable",
    "Stage",
    "StageWriter",
    "Stamp",
    "unwritable",
    "update_source",
]

STAGES = ("backbone", "context")


@dataclass(frozen=True)
class FeatureStore:
    """A folder of clips' features, as one network sees it.

    Attributes:
        root: the folder.
        network: the network whose features are read and written.
    """

    root: Path
    network: str = DEFAULT

    def names(self) -> list[str]:
        """The clips that have a finished stage or an unfinished one, in order."""
        finished = (entry.name.removesuffix(SUFFIX) for entry in self.root.glob(f"[!.]*{SUFFIX}"))
        unfinished = (entry.name for entry in (self.root / PARTIAL).glob("*"))
        return sorted(name for name in {*finished, *unfinished} if is_name(name))

    def stage(self, name: str, stage: str) -> Stage:
        """Open a finished stage.

        Raises:
            StoreError: it has not been made; the message says which command makes it.
        """
        return open_stage(self.root, name, self.network, stage)

    def features(self, name: str, features: str) -> Readable:
        """Open what a classifier reads: ``backbone``, ``context`` or ``both``.

        Raises:
            StoreError: it has not been made; the message says which command makes it.
        """
        return open_features(self.root, name, self.network, features)

    def find(self, name: str, stage: str) -> Stage | None:
        """A finished stage, or None where it has not been made or is not whole."""
        try:
            return self.stage(name, stage)
        except StoreError:
            check_name(name)
            return None

    def networks(self, name: str) -> list[str]:
        """The networks that a clip has stages of, finished or not, in order; the default first."""
        places = (clip_folder(self.root, name), partial_folder(self.root, name))
        found = {entry.name for place in places for entry in place.glob("*") if entry.is_dir()}
        return sorted(found, key=lambda network: (network != DEFAULT, network))

    def unfinished(self, name: str) -> list[str]:
        """The stages of a clip that a run has begun and not finished."""
        folder = partial_folder(self.root, name) / self.network
        return sorted(stage for stage in STAGES if (folder / stage).exists())

    def writer(
        self,
        name: str,
        stage: str,
        stamp: Stamp,
        *,
        carries: bool = False,
        begun: float | None = None,
    ) -> StageWriter:
        """Begin a stage, or take up an unfinished one. Hold :meth:`lock` meanwhile."""
        return StageWriter(
            self.root, name, self.network, stage, stamp, carries=carries, begun=begun
        )

    def lock(
        self, name: str, on_wait: Callable[[], None] = lambda: None
    ) -> AbstractContextManager[None]:
        """Hold a clip for writing; see :func:`vostool.store.writing.clip_lock`."""
        return clip_lock(self.root, name, on_wait)

    def remove(self, name: str, network: str | None = None, stage: str | None = None) -> None:
        """Remove a clip, or what a network made of it, or one stage, finished or not.

        Args:
            name: the clip.
            network: what this network made alone; with a stage and no network, the store's.
            stage: this stage alone.

        Raises:
            StoreError: there is no such thing, or it cannot be removed.
        """
        folders = [clip_folder(self.root, name), partial_folder(self.root, name)]
        if network is not None or stage is not None:
            folders = [folder / (network or self.network) / (stage or "") for folder in folders]
        there = [folder for folder in folders if folder.exists()]
        if not there:
            what = " of ".join(part for part in (stage, network, name) if part)
            raise StoreError(f"{what}: not in {self.root}; see: vostool store ls")
        with self.lock(name):
            for folder in there:
                try:
                    shutil.rmtree(folder)
                except OSError as problem:
                    raise unwritable(folder, problem) from problem
