"""CVAT for images 1.1: an XML file with a mask for each object and frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from xml.etree.ElementTree import Element, SubElement, tostring

import cv2
import numpy as np

from vostool.files import replacing, unwritable
from vostool.images import Mask, ObjectMasks
from vostool.writers import Content, object_name

VERSION = "1.1"
"""Of CVAT's format."""


class CvatWriter:
    """A :class:`vostool.writers.MaskWriter`: an image's masks as they come.

    Args:
        stream: the file.
        content: what the masks are of.
        folder: where it is being made.
    """

    def __init__(self, stream: TextIO, content: Content, folder: Path) -> None:
        self._stream, self._content, self.folder = stream, content, folder
        meta = Element("meta")
        add_labels(SubElement(meta, "task"), content)
        stream.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        stream.write(f"<version>{VERSION}</version>\n")
        self._put(meta)

    def write(self, frame: int, masks: ObjectMasks) -> None:
        """Take the next frame's masks."""
        height, width = masks.shape[1:]
        image = Element("image", id=str(frame), name=self._content.file(frame))
        image.attrib |= {"width": str(width), "height": str(height)}
        for object_id, mask in zip(self._content.object_ids, masks, strict=True):
            if mask.any():
                SubElement(image, "mask", _attributes(mask, object_id))
        self._put(image)

    def finish(self) -> None:
        """Write the end."""
        self._stream.write("</annotations>\n")

    def _put(self, element: Element) -> None:
        self._stream.write(tostring(element, encoding="unicode") + "\n")


def add_labels(task: Element, content: Content) -> None:
    """Tell which labels a task has: one an object."""
    labels = SubElement(task, "labels")
    for object_id in content.object_ids:
        SubElement(SubElement(labels, "label"), "name").text = object_name(object_id)


def _attributes(found: Mask, object_id: int) -> dict[str, str]:
    """Of a mask (H, W) of 0 and 1: its box, and in it run lengths by rows, of background first."""
    left, top, width, height = cv2.boundingRect(found)
    inside = found[top : top + height, left : left + width].ravel()
    changes = np.flatnonzero(np.diff(inside, prepend=0))
    runs = np.diff(changes, prepend=0, append=inside.size)
    box = {"left": left, "top": top, "width": width, "height": height}
    return {
        "label": object_name(object_id), "source": "file", "occluded": "0", "z_order": "0",
        "rle": ", ".join(map(str, runs.tolist())),
        **{side: str(value) for side, value in box.items()},
    }  # fmt: skip


@contextmanager
def open_writer(file: Path, content: Content) -> Iterator[CvatWriter]:
    """Open a file to write to; it appears when it is whole.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with replacing(file, ".xml") as tmp, tmp.open("w", encoding="utf-8") as stream:
            writer = CvatWriter(stream, content, tmp.parent)
            yield writer
            writer.finish()
    except OSError as problem:
        raise unwritable(file, problem) from problem
