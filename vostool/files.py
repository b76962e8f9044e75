"""Files and folders that appear in one step, whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vostool.errors import OutputError


@contextmanager
def replacing(file: Path, suffix: str | None = None) -> Iterator[Path]:
    """Write a file in one step: yields a path beside it, which takes its place in the end.

    Where the block raises, what was written is removed and the file stays as it was.

    Args:
        file: the file to write, or to replace.
        suffix: of the path meanwhile, by which some libraries choose a format; by default the
            file's own.

    Raises:
        IsADirectoryError: a folder is there.
    """
    if file.is_dir():  # "." among them, which has no name
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    tmp = file.with_name(f".{file.stem}.{os.getpid()}{file.suffix if suffix is None else suffix}")
    try:
        yield tmp
        os.replace(tmp, file)
    finally:
        tmp.unlink(missing_ok=True)


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """Fill a folder in one step: yields a new one on its disk, whose files move there in the end.

    Where the block raises, the files are removed and the folder stays as it was.

    Args:
        folder: where the files go; made if need be, and other files in it stay.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    tmp = there / f".{folder.name}.{os.getpid()}"  # on the folder's disk, whatever is mounted
    try:
        tmp.mkdir()
        yield tmp
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(tmp.iterdir()):
            os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


def unwritable(place: Path, problem: OSError) -> OutputError:
    """The one line for a disk that is full, read-only, or not ours."""
    reason = os.strerror(problem.errno) if problem.errno else str(problem).splitlines()[0]
    return OutputError(f"{place}: cannot be written ({reason}); free room there, or name another")
