"""One array (T, H, W) uint8 of labels, as ``numpy.load`` reads it, also a part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vostool.files import replacing, unwritable
from vostool.images import Mask
from vostool.writers import Content


class NumpyWriter:
    """A :class:`vostool.writers.MaskWriter`: the head, then a mask after the other.

    Args:
        stream: the file.
        content: what the masks are of.
        folder: where it is being made.
    """

    def __init__(self, stream: BinaryIO, content: Content, folder: Path) -> None:
        self._stream, self.folder = stream, folder
        shape = (content.count, *content.size)
        head = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, head)

    def write(self, frame: int, mask: Mask) -> None:
        """Take the next frame's mask."""
        self._stream.write(np.ascontiguousarray(mask).tobytes())


@contextmanager
def open_writer(file: Path, content: Content) -> Iterator[NumpyWriter]:
    """Open a file to write to; it appears when it is whole.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with replacing(file, ".npy") as tmp, tmp.open("wb") as stream:
            yield NumpyWriter(stream, content, tmp.parent)
    except OSError as problem:
        raise unwritable(file, problem) from problem
