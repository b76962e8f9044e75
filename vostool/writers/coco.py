"""COCO instances: an annotation an object and frame, its mask as run lengths."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from vostool.files import replacing, unwritable
from vostool.images import ObjectMasks
from vostool.version import __version__
from vostool.writers import Content
from vostool.writers.rle import categories, run_lengths


class CocoWriter:
    """A :class:`vostool.writers.MaskWriter`: annotations as they come, and then the rest.

    Args:
        stream: the file.
        content: what the masks are of.
        folder: where it is being made.
    """

    def __init__(self, stream: TextIO, content: Content, folder: Path) -> None:
        self._stream, self._content, self.folder = stream, content, folder
        self._frames = self._annotations = 0
        stream.write('{"annotations": [')

    def write(self, frame: int, masks: ObjectMasks) -> None:
        """Take the next frame's masks."""
        self._frames += 1
        for object_id, mask in zip(self._content.object_ids, masks, strict=True):
            if runs := run_lengths(mask):
                self._annotations += 1
                whose = {"image_id": frame + 1, "category_id": object_id, "iscrowd": 0}
                annotation = {"id": self._annotations, **whose, **runs}
                separator = ",\n" if self._annotations > 1 else "\n"
                self._stream.write(separator + json.dumps(annotation))

    def finish(self) -> None:
        """Write what all annotations are of."""
        height, width = self._content.size
        images = [
            {"id": frame + 1, "file_name": self._content.file(frame), "height": height,
             "width": width}
            for frame in range(self._frames)
        ]  # fmt: skip
        rest = {
            "images": images,
            "categories": categories(self._content.object_ids),
            "info": {"description": self._content.name, "contributor": f"vostool {__version__}"},
        }
        self._stream.write("],\n" + json.dumps(rest)[1:] + "\n")


@contextmanager
def open_writer(file: Path, content: Content) -> Iterator[CocoWriter]:
    """Open a file to write to; it appears when it is whole.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with replacing(file, ".json") as tmp, tmp.open("w") as stream:
            writer = CocoWriter(stream, content, tmp.parent)
            yield writer
            writer.finish()
    except OSError as problem:
        raise unwritable(file, problem) from problem
