"""A TIFF of many pages, each a frame's labels: (H, W) of 8 bits, 0 is background."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from PIL.TiffImagePlugin import AppendingTiffWriter

from vostool.files import replacing, unwritable
from vostool.images import Mask
from vostool.writers import Content

COMPRESSION = "tiff_adobe_deflate"


class TiffWriter:
    """A :class:`vostool.writers.MaskWriter`: a page a mask.

    Args:
        stack: the file.
        folder: where it is being made.
    """

    def __init__(self, stack: AppendingTiffWriter, folder: Path) -> None:
        self._stack, self.folder = stack, folder

    def write(self, frame: int, mask: Mask) -> None:
        """Take the next frame's mask."""
        Image.fromarray(mask).save(self._stack, "TIFF", compression=COMPRESSION)
        self._stack.newFrame()


@contextmanager
def open_writer(file: Path, content: Content) -> Iterator[TiffWriter]:
    """Open a file to write to; it appears when it is whole.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with replacing(file, ".tif") as tmp, AppendingTiffWriter(str(tmp), new=True) as stack:
            yield TiffWriter(stack, tmp.parent)
    except OSError as problem:
        raise unwritable(file, problem) from problem
