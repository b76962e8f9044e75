"""Chunks that were fetched, kept on the local disk within a bound, for all processes of a user.

An object is written once and never changed, so that what was fetched under its name is what is
there; a file's length and checksum are looked at all the same whenever it is read, and a file that
is damaged goes. Those that were not asked for longest go first. Where the disk is full or
read-only, nothing is kept, and nothing fails.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from vostool.errors import UsageError
from vostool.store.manifest import Entry

FOLDER_VARIABLE = "VOSTOOL_CACHE"
SIZE_VARIABLE = "VOSTOOL_CACHE_GB"
DEFAULT_GB = 4.0
SHARE = 32
"""The cache is looked through whenever this share of its bound has been written by a process."""


class ChunkCache:
    """Files in a folder, and a bound on what they take.

    Args:
        folder: where; made when something is first kept.
        most_bytes: what they may take; several processes that write at once may be over it by a
            few hundredths meanwhile. 0 keeps nothing.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._unseen = most_bytes // SHARE  # so that the first that is kept looks

    def get(self, name: str, entry: Entry) -> bytes | None:
        """What was kept under a name, if it is there and whole.

        Args:
            name: of the object, among all buckets'.
            entry: what it must be.
        """
        if not self._most_bytes:
            return None
        file = self._file(name)
        try:
            content = file.read_bytes()
            if Entry.of(content) == entry:
                os.utime(file)
                return content
            file.unlink()
        except OSError:
            pass
        return None

    def put(self, name: str, content: bytes) -> None:
        """Keep something, if there is room and the disk takes it."""
        share = self._most_bytes // SHARE
        if len(content) > self._most_bytes - share:
            return
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._unseen += len(content)
            if self._unseen >= share:
                self._make_room(self._most_bytes - share - len(content))
                self._unseen = len(content)
            handle, tmp = tempfile.mkstemp(dir=self._folder)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(content)
                os.replace(tmp, self._file(name))
            except OSError:
                os.unlink(tmp)
                raise

    def _make_room(self, most_bytes: int) -> None:
        """Remove those that were not asked for longest, until the others take no more."""
        found = []
        for entry in os.scandir(self._folder):
            with suppress(FileNotFoundError):  # another process was quicker
                found.append((entry.stat().st_mtime, entry.stat().st_size, entry.path))
        found.sort()
        taken = sum(size for _, size, _ in found)
        for _, size, path in found:
            if taken <= most_bytes:
                break
            with suppress(FileNotFoundError):
                os.unlink(path)
            taken -= size

    def _file(self, name: str) -> Path:
        return self._folder / hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def users_cache() -> ChunkCache:
    """The cache where the environment says, or else where the system keeps such things.

    Raises:
        UsageError: its size is no number.
    """
    import platformdirs

    told = os.environ.get(SIZE_VARIABLE) or str(DEFAULT_GB)
    try:
        most_bytes = int(1e9 * float(told))
        if most_bytes < 0:
            raise ValueError
    except (ValueError, OverflowError) as problem:
        raise UsageError(f"{SIZE_VARIABLE}={told}: is no size; give gigabytes, such as 4") from (
            problem
        )
    folder = os.environ.get(FOLDER_VARIABLE)
    place = Path(folder) if folder else Path(platformdirs.user_cache_dir("vostool")) / "chunks"
    return ChunkCache(place, most_bytes)
