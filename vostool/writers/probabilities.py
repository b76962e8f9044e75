"""Grey PNGs, a folder an object: ``FOLDER/OBJECT/%05d.png``, white where it surely is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from vostool.images import Probabilities
from vostool.writers import Content
from vostool.writers.folders import whole_folder
from vostool.writers.png import PNG_EFFORT, mask_file


class ProbabilityWriter:
    """A :class:`vostool.writers.MaskWriter`: an image an object and frame.

    Args:
        folder: for the folders.
        object_ids: the objects.
        grey: the type of an image's numbers; its largest is a probability of 1.
    """

    def __init__(
        self, folder: Path, object_ids: tuple[int, ...], grey: type[np.unsignedinteger]
    ) -> None:
        self.folder, self._objects, self._grey = folder, object_ids, grey
        for object_id in object_ids:
            (folder / str(object_id)).mkdir()

    def write(self, frame: int, probabilities: Probabilities) -> None:
        """Take the next frame's probabilities, background's first."""
        white = np.iinfo(self._grey).max
        for object_id, one in zip(self._objects, probabilities[1:], strict=True):
            image = Image.fromarray(np.rint(white * one.astype(np.float64)).astype(self._grey))
            file = mask_file(self.folder / str(object_id), frame)
            image.save(file, compress_level=PNG_EFFORT)


@contextmanager
def open_writer(
    folder: Path, content: Content, grey: type[np.unsignedinteger] = np.uint8
) -> Iterator[ProbabilityWriter]:
    """Open a folder to write to; it appears when it is whole, and holds nothing else.

    Raises:
        OutputError: it cannot be written to.
    """
    with whole_folder(folder) as made:
        yield ProbabilityWriter(made, content.object_ids, grey)
