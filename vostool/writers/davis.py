"""A root laid out as DAVIS is: JPEGs and indexed PNGs of one sequence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from vostool.images import Mask
from vostool.writers import Content
from vostool.writers.folders import whole_folder
from vostool.writers.png import mask_file, write_mask

JPEG_QUALITY = 95


class RootWriter:
    """A :class:`vostool.writers.MaskWriter`: an image and a mask a frame.

    Args:
        folder: the root.
        content: what the masks are of.
        part: the folder between ``JPEGImages`` or ``Annotations`` and the sequence's.
    """

    def __init__(self, folder: Path, content: Content, part: str) -> None:
        self.folder, self._content = folder, content
        self._images = folder / "JPEGImages" / part / content.name
        self._masks = folder / "Annotations" / part / content.name
        self._images.mkdir(parents=True)
        self._masks.mkdir(parents=True)

    def write(self, frame: int, mask: Mask) -> None:
        """Take the next frame's mask."""
        image = Image.fromarray(next(self._content.frames))
        image.save(self._images / f"{frame:05d}.jpg", quality=JPEG_QUALITY)
        write_mask(mask_file(self._masks, frame), mask)


@contextmanager
def open_writer(folder: Path, content: Content) -> Iterator[RootWriter]:
    """Open a folder to write to; it appears when it is whole, and holds nothing else.

    Raises:
        OutputError: it cannot be written to.
    """
    with whole_folder(folder) as made:
        yield RootWriter(made, content, "480p")
        listing = made / "ImageSets" / "2017" / "train.txt"
        listing.parent.mkdir(parents=True)
        listing.write_text(f"{content.name}\n")
