"""What a store needs of the place that it lies in: folders of a disk, or objects of a bucket."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from vostool.pyramid import Pyramid
from vostool.store.cache_key import CacheKey
from vostool.store.stage import ClipMetadata, Features, Stage
from vostool.store.stage_files import StageFiles


class Writer(Protocol):
    """Writes one stage of one clip, chunk by chunk. Hold the clip's lock meanwhile.

    Attributes:
        done: how many frames are written already.
    """

    done: int

    def begin(self, pyramid: Pyramid, metadata: ClipMetadata) -> None:
        """Lay the arrays out, unless an earlier attempt did.

        Raises:
            OutputError: the store cannot be written to.
        """

    def append(self, features: Features, state: npt.NDArray[Any] | None = None) -> None:
        """Write the next frames: whole chunks, except at the end of the clip.

        Args:
            features: (frames, h, w, C) a level.
            state: what the next block needs from this one; :meth:`state` gives it back.

        Raises:
            OutputError: the disk is full or read-only.
        """

    def state(self) -> npt.NDArray[Any] | None:
        """The state that the last finished block left, if an earlier attempt left any."""

    def finish(self) -> Stage:
        """Let the stage appear in its place, over any earlier one.

        Raises:
            OutputError: the store cannot be written to.
        """


class Medium(Protocol):
    """Where a store lies. What can name no clip raises a ``ClipNameError``."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """What it takes of the disk; nothing else may be written there."""

    def exists(self) -> bool:
        """Whether there is a store."""

    def names(self) -> set[str]:
        """The clips of which anything is stored; others' files may be among them."""

    def networks(self, clip: str) -> set[str]:
        """The networks that a clip has stages of, finished or not."""

    def has(self, clip: str, network: str, stage: str) -> bool:
        """Whether something is where a finished stage would be."""

    def has_begun(self, clip: str, network: str, stage: str) -> bool:
        """Whether a run has begun a stage and not finished it."""

    def files(self, clip: str, network: str, stage: str) -> StageFiles:
        """The files of a finished stage, whether it is there or not."""

    def writer(
        self,
        clip: str,
        network: str,
        stage: str,
        cache_key: CacheKey,
        *,
        has_state: bool,
        begun: float | None,
    ) -> Writer:
        """Begin a stage, or take up an unfinished attempt of an equal key."""

    def lock(self, clip: str, on_wait: Callable[[], None]) -> AbstractContextManager[None]:
        """Hold a clip for writing.

        Args:
            clip: its name.
            on_wait: called once if another run holds the clip and this one has to wait.

        Raises:
            OutputError: the store cannot be written to.
        """

    def remove(self, clip: str, network: str | None, stage: str | None) -> None:
        """Remove what there is of a clip, of a network or of a stage, finished or not.

        Raises:
            OutputError: it cannot be removed.
        """
