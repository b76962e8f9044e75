"""A folder of indexed PNGs with the DAVIS palette, ``FOLDER/%05d.png``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from vostool.files import replacing_folder, unwritable
from vostool.images import Mask
from vostool.masks import davis_palette
from vostool.outputs import list_files
from vostool.writers import Content

PNG_EFFORT = 1
"""zlib level: label masks shrink to a few KB at any level, and level 1 is the quickest."""
_PALETTE = davis_palette().tobytes()


def mask_file(folder: Path, frame: int) -> Path:
    """Where the mask of a frame lies: ``FOLDER/%05d.png``."""
    return folder / f"{frame:05d}.png"


def write_mask(file: Path, mask: Mask) -> None:
    """Write a label mask as an indexed PNG with the DAVIS palette."""
    image = Image.fromarray(mask)
    image.putpalette(_PALETTE)
    image.save(file, "PNG", compress_level=PNG_EFFORT)


class PngWriter:
    """A :class:`vostool.writers.MaskWriter`: files are compressed in threads.

    Args:
        folder: for the files.
        pool: the threads.
    """

    def __init__(self, folder: Path, pool: ThreadPoolExecutor) -> None:
        self.folder, self._pool = folder, pool
        self._written: list[Future[None]] = []

    def write(self, frame: int, mask: Mask) -> None:
        """Take the next frame's mask."""
        self._written.append(self._pool.submit(write_mask, mask_file(self.folder, frame), mask))

    def wait(self) -> None:
        """Return when all files are written; raise what writing one has raised."""
        for one in self._written:
            one.result()


@contextmanager
def open_writer(folder: Path, content: Content) -> Iterator[PngWriter]:
    """Open a folder to write masks to; it appears when all are whole, and holds nothing else.

    Args:
        folder: made, or replaced.
        content: what the masks are of.

    Raises:
        OutputError: the folder cannot be written to.
    """
    try:
        with replacing_folder(folder, content.keeps) as made:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                writer = PngWriter(made, pool)
                yield writer
                writer.wait()
            list_files(made, content.made_from)
    except OSError as problem:
        raise unwritable(folder, problem) from problem
