"""RGBA PNGs: the frames, transparent where no object is, ``FOLDER/%05d.png``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from vostool.images import Frame, Mask
from vostool.writers import Content
from vostool.writers.folders import whole_folder
from vostool.writers.png import PNG_EFFORT, mask_file


def cut_out(frame: Frame, mask: Mask) -> npt.NDArray[np.uint8]:
    """The frame with its objects as its alpha, (H, W, 4) uint8; the colours are all kept."""
    alpha = np.where(mask > 0, 255, 0).astype(np.uint8)
    return np.concatenate([frame, alpha[..., None]], axis=2)


class CutoutWriter:
    """A :class:`vostool.writers.MaskWriter`: an image a frame.

    Args:
        folder: for the files.
        content: what the masks are of.
    """

    def __init__(self, folder: Path, content: Content) -> None:
        self.folder, self._content = folder, content

    def write(self, frame: int, mask: Mask) -> None:
        """Take the next frame's mask."""
        image = Image.fromarray(cut_out(next(self._content.frames), mask))
        image.save(mask_file(self.folder, frame), compress_level=PNG_EFFORT)


@contextmanager
def open_writer(folder: Path, content: Content) -> Iterator[CutoutWriter]:
    """Open a folder to write to; it appears when it is whole, and holds nothing else.

    Raises:
        OutputError: it cannot be written to.
    """
    with whole_folder(folder) as made:
        yield CutoutWriter(made, content)
