"""A folder of grey PNGs, ``FOLDER/%05d.png``: black where masks are sure, white where at odds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from vostool.images import Doubt
from vostool.writers import Content
from vostool.writers.folders import whole_folder
from vostool.writers.png import PNG_EFFORT, mask_file

WHITE = 510
"""A half, which no doubt exceeds, is 255."""


class UncertaintyWriter:
    """A :class:`vostool.writers.MaskWriter`: an image a frame.

    Args:
        folder: for the images.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, frame: int, doubt: Doubt) -> None:
        """Take the next frame's doubt."""
        image = Image.fromarray(np.rint(WHITE * doubt).astype(np.uint8))
        image.save(mask_file(self.folder, frame), compress_level=PNG_EFFORT)


@contextmanager
def open_writer(folder: Path, content: Content) -> Iterator[UncertaintyWriter]:
    """Open a folder to write to; it appears when it is whole, and holds nothing else.

    Raises:
        OutputError: it cannot be written to.
    """
    with whole_folder(folder) as made:
        yield UncertaintyWriter(made)
