"""Black and white PNGs, a folder an object: ``FOLDER/OBJECT/%05d.png``, 255 is the object."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from vostool.images import ObjectMasks
from vostool.writers import Content
from vostool.writers.folders import whole_folder
from vostool.writers.png import PNG_EFFORT, mask_file


class BinaryWriter:
    """A :class:`vostool.writers.MaskWriter`: an image an object and frame, also where it is not.

    Args:
        folder: for the folders.
        object_ids: the objects.
    """

    def __init__(self, folder: Path, object_ids: tuple[int, ...]) -> None:
        self.folder, self._objects = folder, object_ids
        for object_id in object_ids:
            (folder / str(object_id)).mkdir()

    def write(self, frame: int, masks: ObjectMasks) -> None:
        """Take the next frame's masks."""
        for object_id, mask in zip(self._objects, masks, strict=True):
            image = Image.fromarray(255 * mask)
            file = mask_file(self.folder / str(object_id), frame)
            image.save(file, compress_level=PNG_EFFORT)


@contextmanager
def open_writer(folder: Path, content: Content) -> Iterator[BinaryWriter]:
    """Open a folder to write to; it appears when it is whole, and holds nothing else.

    Raises:
        OutputError: it cannot be written to.
    """
    with whole_folder(folder) as made:
        yield BinaryWriter(made, content.object_ids)
