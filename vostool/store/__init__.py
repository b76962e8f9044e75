"""The feature store: one zarr group a clip, one group a network and stage. It knows no torch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from vostool.errors import (
    MissingStageError,
    StoreError,
    UnknownClipError,
    UnreadableStageError,
)
from vostool.store.cache_key import CacheKey
from vostool.store.folder import FolderMedium
from vostool.store.layout import check_name, is_name, is_url
from vostool.store.medium import Medium, Writer
from vostool.store.readers import STAGES, STAGES_OF, ConcatFeatures, FeatureReader, KeptFeatures
from vostool.store.stage import ClipMetadata, Features, Stage, update_source
from vostool.store.stamp import Stamp, read_stamp

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
    "Stamp",
    "StoredClip",
    "Writer",
    "update_source",
]


@dataclass(frozen=True, init=False)
class FeatureStore:
    """Clips' features, in a folder or in a bucket.

    Args:
        root: a folder, made when something is first written to it; or ``s3://BUCKET/PREFIX``.

    Attributes:
        root: the same; a string where it is a URL.
        medium: what reads and writes there.

    Raises:
        UsageError: it is another kind of URL.
        UnreachableError: the package that speaks S3 is not installed.
    """

    root: Path | str
    medium: Medium = field(compare=False, repr=False)

    def __init__(self, root: str | Path) -> None:
        medium: Medium
        if is_url(root):
            from vostool.store.s3 import BucketMedium

            root = str(root)
            medium = BucketMedium(root)
        else:
            root = Path(root)
            medium = FolderMedium(root)
        object.__setattr__(self, "root", root)
        object.__setattr__(self, "medium", medium)

    @property
    def folders(self) -> tuple[Path, ...]:
        """What it takes of the disk; nothing else may be written there."""
        return self.medium.folders

    def exists(self) -> bool:
        """Whether there is a store."""
        return self.medium.exists()

    def names(self) -> list[str]:
        """The clips that have a finished stage or an unfinished one, in order."""
        return sorted(name for name in self.medium.names() if is_name(name))

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
    def _medium(self) -> Medium:
        return self.store.medium

    def networks(self) -> list[str]:
        """The networks that it has stages of, finished or not, in order."""
        return sorted(self._medium.networks(self.name))

    def has(self, network: str, stage: str) -> bool:
        """Whether something is where a finished stage would be, whole or not."""
        return self._medium.has(self.name, network, stage)

    def stage(self, network: str, stage: str) -> Stage:
        """Open a finished stage, one of :data:`STAGES`.

        Raises:
            MissingStageError: it has not been made.
            BrokenStageError: it is not whole.
            UnreadableStageError: permissions or a failing disk are in the way.
        """
        files = self._medium.files(self.name, network, stage)
        with suppress(PermissionError):  # which opening it tells of
            if not files.is_stamped():
                raise MissingStageError(self.store.root, self.name, network, stage)
        return Stage(files, self.name)

    def stamp(self, network: str, stage: str) -> Stamp | None:
        """What a finished stage says of itself, or None; for those who have many."""
        return read_stamp(self._medium.files(self.name, network, stage))

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
        return [stage for stage in STAGES if self._medium.has_begun(self.name, network, stage)]

    def writer(
        self,
        network: str,
        stage: str,
        cache_key: CacheKey,
        *,
        has_state: bool = False,
        begun: float | None = None,
    ) -> Writer:
        """Begin a stage, or take up an unfinished one. Hold :meth:`lock` meanwhile.

        Args:
            network: whose features they are.
            stage: the stage's name.
            cache_key: what it is made from. An unfinished attempt of an equal key is taken up.
            has_state: whether a block needs the state that the block before it left.
            begun: when the work on the stage began, by ``time.perf_counter``.
        """
        return self._medium.writer(
            self.name, network, stage, cache_key, has_state=has_state, begun=begun
        )

    def lock(self, on_wait: Callable[[], None] = lambda: None) -> AbstractContextManager[None]:
        """Hold it for writing; see :meth:`vostool.store.medium.Medium.lock`."""
        return self._medium.lock(self.name, on_wait)

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
        if not self._has_any(network, stage):
            what = " of ".join(part for part in (stage, network, self.name) if part)
            raise UnknownClipError(f"{what}: not in {self.store.root}")
        with self.lock(on_wait):
            self._medium.remove(self.name, network, stage)

    def _has_any(self, network: str | None, stage: str | None) -> bool:
        if network is None:
            return check_name(self.name) in self._medium.names()
        # A network is what lies in the clip's folder, and no path that leads out of it.
        if network not in self.networks():
            return False
        return (
            stage is None
            or self.has(network, stage)
            or self._medium.has_begun(self.name, network, stage)
        )
