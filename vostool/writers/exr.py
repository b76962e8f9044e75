"""OpenEXR images with alpha, for compositing: light, transparent where no object is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vostool.exr import light_of, write_exr
from vostool.images import Alpha
from vostool.writers import Content
from vostool.writers.cutout import cut_out
from vostool.writers.folders import whole_folder


class ExrWriter:
    """A :class:`vostool.writers.MaskWriter`: ``%05d.exr``.

    Args:
        folder: for the files.
        content: what the masks are of.
    """

    def __init__(self, folder: Path, content: Content) -> None:
        self.folder, self._content = folder, content

    def write(self, frame: int, alpha: Alpha) -> None:
        """Take the next frame's alpha."""
        picture = cut_out(next(self._content.frames), alpha)
        write_exr(self.folder / f"{frame:05d}.exr", light_of(picture))


@contextmanager
def open_writer(folder: Path, content: Content) -> Iterator[ExrWriter]:
    """Open a folder to write to; it appears when it is whole, and holds nothing else.

    Raises:
        OutputError: it cannot be written to.
    """
    with whole_folder(folder) as made:
        yield ExrWriter(made, content)
