"""The files of a stage in a folder of a disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zarr.storage import LocalStore

from vostool.files import replacing
from vostool.store.layout import GROUP, SOURCE
from vostool.store.manifest import NAME as MANIFEST
from vostool.store.manifest import CheckedStore, Manifest


@dataclass(frozen=True)
class StageFolder:
    """A stage's folder; see :class:`vostool.store.stage_files.StageFiles`."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def network(self) -> str:
        """Whose features they are."""
        return self.folder.parent.name

    @property
    def kind(self) -> str:
        """Which stage it is."""
        return self.folder.name

    def beside(self, stage: str) -> StageFolder:
        """Another stage of the same clip and network."""
        return StageFolder(self.folder.parent / stage)

    def is_stamped(self) -> bool:
        """Whether the stage has its manifest."""
        return (self.folder / MANIFEST).exists()

    def read_group(self) -> bytes:
        """What zarr says of the stage as a group."""
        return self.read(GROUP)

    def read(self, path: str) -> bytes:
        """A file's content."""
        return (self.folder / path).read_bytes()

    def read_each(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | OSError]]:
        """The contents of many files, one after the other."""
        for path in paths:
            try:
                yield path, self.read(path)
            except OSError as problem:
                yield path, problem

    def check_presence(self, manifest: Manifest) -> None:
        """Make sure that each file is there and as long as it was."""
        manifest.check_presence(self.folder)

    def opened(self, manifest: Manifest) -> CheckedStore:
        """The files as zarr reads them."""
        return CheckedStore(LocalStore(self.folder, read_only=True), manifest, str(self))

    def size(self) -> int:
        """Bytes of all of them."""
        return sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())

    def read_source(self) -> bytes:
        """Where the clip lies now, if it was moved since."""
        return self.read(SOURCE)

    def write_source(self, content: bytes) -> None:
        """Write where the clip lies now."""
        with replacing(self.folder / SOURCE) as tmp:
            tmp.write_bytes(content)
