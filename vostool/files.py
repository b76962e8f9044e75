"""Files and folders that appear in one step, whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vostool.errors import OutputError

LARGEST_TEXT = 256 << 20
"""Bytes of a file that is read as a whole: hours of strokes take a hundredth of it."""


@contextmanager
def replacing(file: Path, suffix: str | None = None) -> Iterator[Path]:
    """Write a file in one step: yields a path beside it, which takes its place in the end.

    Where the block raises, what was written is removed and the file stays as it was.

    Args:
        file: the file to write, or to replace.
        suffix: of the path meanwhile, by which some libraries choose a format; by default the
            file's own.
    """
    tmp = file.with_name(f".{file.stem}.{os.getpid()}{file.suffix if suffix is None else suffix}")
    try:
        tmp.touch()  # libraries that write files tell less of why they cannot
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
        with _unstopped():
            for file in sorted(tmp.iterdir()):
                os.replace(file, folder / file.name)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


@contextmanager
def _unstopped() -> Iterator[None]:
    """Let signals to stop wait for the end of a short block, so that it is done as a whole."""
    came: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other gets signals
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for caught, handler in before.items():
            signal.signal(caught, signal.SIG_DFL if handler is None else handler)
    for late in came:
        signal.raise_signal(late)


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


def unwritable(place: Path, problem: OSError) -> OutputError:
    """The one line for a disk that is full, read-only, or not ours."""
    return OutputError(
        f"{place}: cannot be written ({reason(problem)}); free room there, or name another"
    )


def reason(problem: OSError) -> str:
    """Why a file could not be used, in the system's words, without the name of a file aside."""
    number = problem.errno
    if number is None and (told := re.search(r"errno = (\d+)", str(problem))):
        number = int(told[1])  # as HDF5 tells
    return os.strerror(number) if number else str(problem).splitlines()[0]
