"""A store in a folder of a disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from vostool.files import unwritable
from vostool.store.cache_key import CacheKey
from vostool.store.layout import PARTIAL, SUFFIX, clip_folder, partial_folder
from vostool.store.stage_folder import StageFolder
from vostool.store.writer import StageWriter, clip_lock


@dataclass(frozen=True)
class FolderMedium:
    """A store's folder; see :class:`vostool.store.medium.Medium`."""

    root: Path

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folder."""
        return (self.root,)

    def exists(self) -> bool:
        """Whether it is there; it is made when something is first written to it."""
        return self.root.is_dir()

    def names(self) -> set[str]:
        """The clips of which anything is stored."""
        finished = (entry.name.removesuffix(SUFFIX) for entry in self.root.glob(f"[!.]*{SUFFIX}"))
        unfinished = (entry.name for entry in (self.root / PARTIAL).glob("*"))
        return {*finished, *unfinished}

    def networks(self, clip: str) -> set[str]:
        """The networks that a clip has stages of."""
        return {e.name for place in self._places(clip) for e in place.glob("*") if e.is_dir()}

    def has(self, clip: str, network: str, stage: str) -> bool:
        """Whether a stage's folder is there."""
        return self.files(clip, network, stage).folder.exists()

    def has_begun(self, clip: str, network: str, stage: str) -> bool:
        """Whether the folder in which a stage is made is there."""
        return (partial_folder(self.root, clip) / network / stage).exists()

    def files(self, clip: str, network: str, stage: str) -> StageFolder:
        """A stage's folder."""
        return StageFolder(clip_folder(self.root, clip) / network / stage)

    def writer(
        self,
        clip: str,
        network: str,
        stage: str,
        cache_key: CacheKey,
        *,
        has_state: bool,
        begun: float | None,
    ) -> StageWriter:
        """Begin a stage, or take up an unfinished attempt."""
        return StageWriter(
            self.root, clip, network, stage, cache_key, has_state=has_state, begun=begun
        )

    def lock(self, clip: str, on_wait: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold a clip for writing."""
        return clip_lock(self.root, clip, on_wait)

    def remove(self, clip: str, network: str | None, stage: str | None) -> None:
        """Remove what there is of a clip, of a network or of a stage."""
        for place in self._places(clip):
            folder = place / (network or "") / (stage or "")
            if folder.exists():
                try:
                    shutil.rmtree(folder)
                except OSError as problem:
                    raise unwritable(folder, problem) from problem

    def _places(self, clip: str) -> tuple[Path, Path]:
        return clip_folder(self.root, clip), partial_folder(self.root, clip)
