"""Folders that a format writes: whole or absent, and noted as vostool's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vostool.files import replacing_folder, unwritable
from vostool.outputs import list_files


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write to; it takes its place when all is written, and holds nothing else.

    Raises:
        OutputError: it cannot be written to.
    """
    try:
        with replacing_folder(folder) as made:
            yield made
            list_files(made)
    except OSError as problem:
        raise unwritable(folder, problem) from problem
