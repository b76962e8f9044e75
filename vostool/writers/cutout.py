"""RGBA PNGs: the frames, transparent where no object is, ``FOLDER/%05d.png``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from vostool.images import Alpha, Frame
from vostool.writers import Content
from vostool.writers.folders import whole_folder
from vostool.writers.png import PNG_EFFORT, mask_file


def cut_out(frame: Frame, alpha: Alpha) -> npt.NDArray[np.uint8]:
    """The frame with its objects' alpha, (H, W, 4) uint8; the colours are all kept."""
    return np.concatenate([frame, alpha[..., None]], axis=2)


class CutoutWriter:
    """A :class:`vostool.writers.MaskWriter`: an image a frame.

    Args:
        folder: for the files.
        content: what the masks are of.
    """

    def __init__(self, folder: Path, content: Content) -> None:
        self.folder, self._content = folder, content

    def write(self, frame: int, alpha: Alpha) -> None:
        """Take the next frame's alpha."""
        image = Image.fromarray(cut_out(next(self._content.frames), alpha))
        image.save(mask_file(self.folder, frame), compress_level=PNG_EFFORT)


@contextmanager
def open_writer(folder: Path, content: Content) -> Iterator[CutoutWriter]:
    """Open a folder to write to; it appears when it is whole, and holds nothing else.

    Raises:
        OutputError: it cannot be written to.
    """
    with whole_folder(folder) as made:
        yield CutoutWriter(made, content)
