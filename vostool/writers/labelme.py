"""labelme: an image and a JSON file a frame, a polygon for each part of an object.

Polygons are those of :mod:`vostool.writers.yolo`: holes are kept by cuts of no width.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from vostool.images import ObjectMasks
from vostool.writers import Content, object_name
from vostool.writers.davis import JPEG_QUALITY
from vostool.writers.folders import whole_folder
from vostool.writers.yolo import polygons

VERSION = "5.5.0"
"""Of labelme, whose form this is."""


class LabelmeWriter:
    """A :class:`vostool.writers.MaskWriter`: ``CLIP/%05d.jpg`` and ``CLIP/%05d.json``.

    They lie in a folder of their own, for programs take all JSON files beside them for labelme's.

    Args:
        folder: for both.
        content: what the masks are of.
    """

    def __init__(self, folder: Path, content: Content) -> None:
        self.folder, self._content = folder, content
        self._files = folder / content.name
        self._files.mkdir()

    def write(self, frame: int, masks: ObjectMasks) -> None:
        """Take the next frame's masks."""
        file = self._files / f"{frame:05d}.jpg"
        Image.fromarray(next(self._content.frames)).save(file, quality=JPEG_QUALITY)
        height, width = masks.shape[1:]
        shapes = [
            {"label": object_name(object_id), "points": polygon.tolist(), "group_id": object_id,
             "shape_type": "polygon", "description": "", "flags": {}, "mask": None}
            for object_id, mask in zip(self._content.object_ids, masks, strict=True)
            for polygon in polygons(mask)
        ]  # fmt: skip
        document = {
            "version": VERSION, "flags": {}, "shapes": shapes, "imagePath": file.name,
            "imageData": None, "imageHeight": height, "imageWidth": width,
        }  # fmt: skip
        file.with_suffix(".json").write_text(json.dumps(document) + "\n")


@contextmanager
def open_writer(folder: Path, content: Content) -> Iterator[LabelmeWriter]:
    """Open a folder to write to; it appears when it is whole, and holds nothing else.

    Raises:
        OutputError: it cannot be written to.
    """
    with whole_folder(folder) as made:
        yield LabelmeWriter(made, content)
