"""Which files a stage is made of: the length and the checksum of each, and a hash over all.

A stage is finished when its manifest is there, which is written last. Whatever is read is held
against it: a file that is absent, of another length or of other bytes than those written in its
place is an error, and never zeros, which is what zarr makes of a chunk that is not there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import google_crc32c
from zarr.abc.store import Store
from zarr.storage import WrapperStore

from vostool.files import parse_json

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

NAME = "manifest.json"


class MismatchError(OSError):
    """A file is not the one that was written."""


@dataclass(frozen=True)
class Entry:
    """What was written to a file.

    Attributes:
        length: how many bytes.
        crc32c: their checksum (Castagnoli's polynomial).
        place: under which path they lie, where it is not the file's own.
    """

    length: int
    crc32c: int
    place: str = field(default="", compare=False)

    @classmethod
    def of(cls, content: bytes) -> Entry:
        """Of what is to be written."""
        return cls(len(content), google_crc32c.value(content))


@dataclass(frozen=True)
class Manifest:
    """The files of a stage.

    Attributes:
        files: by path within the stage, with forward slashes.
    """

    files: Mapping[str, Entry]

    @property
    def digest(self) -> str:
        """A hash over all paths, lengths and checksums."""
        rows = sorted([path, *_row(entry)] for path, entry in self.files.items())
        return hashlib.blake2b(json.dumps(rows).encode(), digest_size=16).hexdigest()

    def as_json(self) -> str:
        """What :meth:`read` reads."""
        files = {path: _row(entry) for path, entry in self.files.items()}
        return json.dumps({"files": files, "digest": self.digest}, indent=0)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read what :meth:`as_json` wrote.

        Raises:
            ValueError, KeyError, TypeError: it is not whole.
        """
        stored = parse_json(text)
        files = {
            str(path): Entry(int(length), int(crc), *map(str, place))
            for path, (length, crc, *place) in stored["files"].items()
        }
        manifest = cls(files)
        if stored["digest"] != manifest.digest:
            raise ValueError("its manifest is not the one that was written")
        return manifest

    def place(self, path: str) -> str:
        """Under which path a file lies."""
        return self.files[path].place or path

    @property
    def places(self) -> set[str]:
        """Under which paths the files lie."""
        return {self.place(path) for path in self.files}

    def check_presence(self, folder: Path) -> None:
        """Make sure that each file is there and as long as it was.

        Raises:
            MismatchError: one is not.
        """
        for path, entry in self.files.items():
            file = folder / path
            if not file.is_file():
                raise MismatchError(f"{file}: missing")
            if file.stat().st_size != entry.length:
                raise MismatchError(f"{file}: {file.stat().st_size} bytes of {entry.length}")

    def check(self, path: str, content: bytes, where: str) -> None:
        """Make sure that what was read from a file is what was written to it.

        Raises:
            MismatchError: it is not.
        """
        if Entry.of(content) != self.files[path]:
            raise MismatchError(f"{where}/{self.place(path)}: damaged")


def _row(entry: Entry) -> list[int | str]:
    return [entry.length, entry.crc32c, *([entry.place] if entry.place else [])]


class CheckedStore(WrapperStore[Store]):
    """A zarr store that gives what its manifest knows, unchanged, or raises.

    Args:
        store: where the files are.
        manifest: what they are.
        where: the place that errors name.
    """

    def __init__(self, store: Store, manifest: Manifest, where: str) -> None:
        super().__init__(store)
        self._manifest, self._where = manifest, where

    def _with_store(self, store: Store) -> CheckedStore:
        return type(self)(store, self._manifest, self._where)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The whole of a file, checked; None for one that the manifest does not know.

        Raises:
            MismatchError: it is missing or damaged.
        """
        if key not in self._manifest.files:
            return None
        assert byte_range is None, "chunks are not sharded, and are read whole"
        place = self._manifest.place(key)
        found = await self._store.get(place, prototype)
        if found is None:
            raise MismatchError(f"{self._where}/{place}: missing")
        self._manifest.check(key, found.to_bytes(), self._where)
        return found

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, CheckedStore) and self._store == other._store
