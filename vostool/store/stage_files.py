"""What a stage needs of the place that it lies in: a folder of a disk, or objects of a bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from vostool.store.manifest import CheckedStore, Manifest


class StageFiles(Protocol):
    """The files of a finished stage. As a string, it is the place that errors name."""

    @property
    def network(self) -> str:
        """Whose features they are."""

    @property
    def kind(self) -> str:
        """Which stage it is, ``backbone`` or ``context``."""

    def beside(self, stage: str) -> StageFiles:
        """The files of another stage of the same clip and network."""

    def is_stamped(self) -> bool:
        """Whether the stage has its manifest, which is written last.

        Raises:
            OSError: the system does not say.
        """

    def read_group(self) -> bytes:
        """What zarr says of the stage as a group, unchecked: for those who look at many.

        Raises:
            OSError: it is missing, or cannot be read.
            ValueError, KeyError, TypeError: the manifest that tells where it lies is not whole.
        """

    def read(self, path: str) -> bytes:
        """A file's content.

        Raises:
            OSError: it is missing, or cannot be read.
        """

    def read_each(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | OSError]]:
        """The contents of many files, or why they cannot be read, in any order."""

    def check_presence(self, manifest: Manifest) -> None:
        """Make sure that each file is there and as long as it was.

        Raises:
            MismatchError: one is not.
        """

    def opened(self, manifest: Manifest) -> CheckedStore:
        """The files as zarr reads them, each held against its manifest."""

    def size(self) -> int:
        """Bytes of all of them."""

    def read_source(self) -> bytes:
        """What :meth:`write_source` wrote.

        Raises:
            OSError: nothing, or it cannot be read.
        """

    def write_source(self, content: bytes) -> None:
        """Write the one file that may change, in one step.

        Raises:
            OSError, OutputError: it cannot be written.
        """
