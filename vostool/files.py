"""Files and folders that appear in one step, whole or not at all, and outlast a power cut.

What is made is made in a *workspace*: a folder of a random name on the disk of its place, locked
while it is in use, so that two runs never meet in one, and so that the next run can sweep what a
killed one has left. What is whole is flushed to the disk before it is put in its place, and its
place after.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import math
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vostool.errors import OutputError
from vostool.stops import unstopped

SEAL = 16
"""Bytes of the hash behind sealed content."""
LARGEST_TEXT = 256 << 20
"""Bytes of a file that is read as a whole: hours of strokes take a hundredth of it."""
WORKSPACE = ".vostool-"
"""How the names of workspaces begin."""
LOCK = "lock"
AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Of Linux's renameat2."""
ABANDONED = 3600.0
"""Seconds after which a workspace without a lock belongs to nobody."""


@contextmanager
def workspace(place: Path) -> Iterator[Path]:
    """A folder of a random name to make something in; gone in the end.

    Args:
        place: an existing folder, on whose disk it is made.
    """
    sweep(place)
    with _held(lambda: Path(tempfile.mkdtemp(prefix=WORKSPACE, dir=place))) as folder:
        yield folder


@contextmanager
def _held(make: Callable[[], Path]) -> Iterator[Path]:
    """A folder that is locked while it is in use, and removed before it is unlocked.

    Raises:
        Timeout: it is in use.
    """
    held: list[tuple[Path, FileLock]] = []
    try:
        _hold(make, held)
        yield held[0][0]
    finally:
        _let_go(held)


@unstopped
def _hold(make: Callable[[], Path], held: list[tuple[Path, FileLock]]) -> None:
    """Make a folder and lock it at once; put both into ``held``."""
    while not held:
        folder = make()
        lock = FileLock(folder / LOCK)
        with suppress(FileNotFoundError):  # another run has just removed the folder
            _acquire(lock, folder)
            if (folder / LOCK).exists():
                held.append((folder, lock))
            else:
                lock.release()


@unstopped
def _let_go(held: list[tuple[Path, FileLock]]) -> None:
    for folder, lock in held:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()


def _acquire(lock: FileLock, folder: Path) -> None:
    """Lock a folder at once, or not; where no lock can be made, an empty folder goes."""
    try:
        lock.acquire(timeout=0)
    except (Timeout, FileNotFoundError):
        raise
    except OSError:
        with suppress(OSError):
            folder.rmdir()
        raise


def sweep(place: Path) -> None:
    """Remove the workspaces that killed runs have left in a folder."""
    for folder in place.glob(f"{WORKSPACE}*"):
        if (folder / LOCK).exists():
            with suppress(Timeout, OSError), _held(partial(Path, folder)):
                pass
        elif folder.exists() and time.time() - folder.stat().st_mtime > ABANDONED:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def replacing_folder(folder: Path, keeps: Sequence[str] = ()) -> Iterator[Path]:
    """Make a folder in one step: yields a new one on its disk, which takes its place in the end.

    The folder then holds what was put into the new one and nothing else; where the block raises, it
    stays as it was. Meanwhile no other run can make it.

    Args:
        folder: the folder to make, or to replace; the folders that it lies in are made if need be.
        keeps: names of what moves over from the folder that is replaced.

    Raises:
        OutputError: another run makes it, or it cannot be replaced, for a disk is mounted there.
    """
    folder = folder.absolute()
    there = next(place for place in folder.parents if place.is_dir())
    sweep(there)

    def claim() -> Path:
        place = there / f"{WORKSPACE}{folder.name}"
        place.mkdir(exist_ok=True)
        return place

    try:
        with _held(claim) as place:
            made = place / "made"
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            yield made
            _put_folder(made, folder, keeps)
    except Timeout as problem:
        raise OutputError(f"{folder}: another run writes it; wait, or name another") from problem
    except OSError as problem:
        if problem.errno in (errno.EXDEV, errno.EBUSY):
            raise OutputError(
                f"{folder}: a disk is mounted there, so it cannot be replaced in one step; "
                f"name a folder in it, such as {folder / 'masks'}"
            ) from problem
        raise


@unstopped
def _put_folder(made: Path, folder: Path, keeps: Sequence[str]) -> None:
    """Put a folder in its place, with what moves over from the one that is there."""
    for name in keeps:
        if (folder / name).exists():
            os.rename(folder / name, made / name)
    flush_tree(made)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        exchange(made, folder)
    else:
        os.rename(made, folder)
    flush_folder(folder.parent)


def exchange(one: Path, other: Path) -> None:
    """Swap two folders of one disk: in one step where the system can, else in three."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if hasattr(libc, "renameat2"):
            names = os.fsencode(one), os.fsencode(other)
            if libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0:
                return
            problem = ctypes.get_errno()
            if problem not in (errno.EINVAL, errno.ENOSYS):  # what file systems say that cannot
                raise OSError(problem, os.strerror(problem), str(other))
    aside = one.with_name(f"{one.name}.aside")
    os.rename(other, aside)
    os.rename(one, other)
    os.rename(aside, one)


@contextmanager
def replacing(file: Path, suffix: str | None = None) -> Iterator[Path]:
    """Write a file in one step: yields a path on its disk, which takes its place in the end.

    Where the block raises, what was written is removed and the file stays as it was. A device or a
    FIFO is written to, and stays what it is.

    Args:
        file: the file to write, or to replace.
        suffix: of the path meanwhile, by which some libraries choose a format; by default the
            file's own.

    Raises:
        IsADirectoryError: a folder is there.
    """
    if file.is_dir():  # "." among them, which has no name
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    name = f"{file.stem}{file.suffix if suffix is None else suffix}"
    if is_device(file):
        with tempfile.TemporaryDirectory(prefix=WORKSPACE) as folder:
            yield Path(folder) / name
            with (Path(folder) / name).open("rb") as made, file.open("wb") as device:
                shutil.copyfileobj(made, device)
        return
    with workspace(file.parent) as folder:
        yield folder / name
        put(folder / name, file)


def put(made: Path, file: Path) -> None:
    """Put a file that is whole in its place, over any earlier one: on the disk when this returns.

    Args:
        made: the file, on the disk of its place.
        file: its place.
    """
    flush(made)
    os.replace(made, file)
    flush_folder(file.parent)


def is_device(file: Path) -> bool:
    """Whether something is there that is neither a file nor a folder, such as ``/dev/stdout``."""
    return file.exists() and not file.is_file() and not file.is_dir()


def flush(file: Path) -> None:
    """Return when a file's content is on the disk."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        _flush(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Return when the names of a folder's files are on the disk, where folders can be flushed."""
    if sys.platform != "win32":
        flush(folder)


def flush_tree(folder: Path) -> None:
    """Return when all files of a folder and of those in it are on the disk, and their names."""
    for place, _, names in os.walk(folder):
        for name in names:
            flush(Path(place) / name)
        flush_folder(Path(place))


def _flush(descriptor: int) -> None:
    if sys.platform == "darwin":  # where fsync leaves data in the drive's own memory
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def read_bounded(file: Path, most: int = LARGEST_TEXT) -> bytes:
    """Read a file of text that a person names: also an open pipe, as a shell's ``<(…)`` is one.

    Neither a device that never ends nor a pipe that nobody writes to keeps it waiting.

    Args:
        file: what to read.
        most: bytes that it may have.

    Raises:
        OSError: it cannot be read, or is larger.
    """
    with os.fdopen(os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as stream:
        os.set_blocking(stream.fileno(), True)
        content = stream.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most >> 20} MB")
    return content


def parse_json(text: str) -> Any:
    """The content of a JSON document of ours, which may have been damaged.

    Raises:
        ValueError: it is none, or has a number without bound, of which no integer can be made.
            Python's own reader takes 2E31223 for infinity, and ends a nesting without end by a
            ``RecursionError``.
    """

    def bounded(digits: str) -> float:
        number = float(digits)
        if math.isinf(number):
            raise ValueError(f"{digits} is beyond all bounds")
        return number

    try:
        return json.loads(text, parse_float=bounded, parse_constant=bounded)
    except RecursionError as problem:
        raise ValueError("nested without end") from problem


def sealed(content: bytes) -> bytes:
    """Content with a hash over it behind, which :func:`unsealed` takes off again."""
    return content + hashlib.blake2b(content, digest_size=SEAL).digest()


def unsealed(content: bytes) -> bytes:
    """What :func:`sealed` was given.

    Raises:
        ValueError: a byte of it is another.
    """
    inside = content[:-SEAL]
    if sealed(inside) != content:
        raise ValueError("it is not what was written")
    return inside


def unwritable(place: Path, problem: Exception) -> OutputError:
    """The one line for a disk that is full, read-only, or not ours."""
    return OutputError(
        f"{place}: cannot be written ({reason(problem)}); free room there, or name another"
    )


def reason(problem: Exception) -> str:
    """Why a file could not be used, in the system's words, without the name of a file aside."""
    if told := getattr(problem, "strerror", None):
        return str(told)
    number = re.search(r"errno = (\d+)", str(problem))  # as HDF5 tells
    return os.strerror(int(number[1])) if number else str(problem).splitlines()[0]
