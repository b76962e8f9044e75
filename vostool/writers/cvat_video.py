"""CVAT for video 1.1: an XML file with a track for each part of an object, a polygon a frame.

Polygons, for CVAT has tracks of them; of a track of masks it keeps the first mask alone
(``load_anno`` in its ``dataset_manager/formats/cvat.py``). They are those of
:mod:`vostool.writers.yolo`: holes are kept by cuts of no width.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO
from xml.etree.ElementTree import Element, SubElement, tostring

import cv2

from vostool.files import replacing, unwritable
from vostool.images import ObjectMasks
from vostool.writers import Content, object_name
from vostool.writers.cvat import VERSION, add_labels
from vostool.writers.yolo import polygons


@dataclass
class _Track:
    """A part of an object over the frames.

    Attributes:
        object_id: the object.
        shapes: a polygon a frame, as XML has it; in memory, for a track is written in one piece.
        last: the frame of the latest, and its points.
    """

    object_id: int
    shapes: list[str] = field(default_factory=list)
    last: tuple[int, str] = (-1, "")

    def add(self, frame: int, points: str, *, outside: bool = False) -> None:
        """Take the polygon of a frame; from one that is outside on there is none."""
        self.shapes.append(
            f'<polygon frame="{frame}" keyframe="1" outside="{int(outside)}" occluded="0" '
            f'points="{points}" z_order="0" />\n'
        )
        self.last = (frame, points)

    def leave(self, frame: int) -> None:
        """Take the first frame on which the part is not."""
        if self.last[0] == frame - 1:
            self.add(frame, self.last[1], outside=True)
            self.last = (-1, "")


class CvatVideoWriter:
    """A :class:`vostool.writers.MaskWriter`: tracks, written when all frames have come.

    Args:
        stream: the file.
        content: what the masks are of.
        folder: where it is being made.
    """

    def __init__(self, stream: TextIO, content: Content, folder: Path) -> None:
        self._stream, self._content, self.folder = stream, content, folder
        self._tracks: dict[tuple[int, int], _Track] = {}

    def write(self, frame: int, masks: ObjectMasks) -> None:
        """Take the next frame's masks; the largest part of an object is of its first track."""
        for object_id, mask in zip(self._content.object_ids, masks, strict=True):
            for number, part in enumerate(
                sorted(polygons(mask), key=cv2.contourArea, reverse=True)
            ):
                track = self._tracks.setdefault((object_id, number), _Track(object_id))
                track.add(frame, ";".join(f"{x}.00,{y}.00" for x, y in part.tolist()))
        for track in self._tracks.values():
            track.leave(frame)

    def finish(self) -> None:
        """Write the tracks."""
        self._stream.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        self._stream.write(f"<version>{VERSION}</version>\n")
        self._stream.write(tostring(self._meta(), encoding="unicode") + "\n")
        for number, place in enumerate(sorted(self._tracks)):
            track = self._tracks[place]
            name, group = object_name(track.object_id), track.object_id
            head = f'<track id="{number}" label="{name}" source="file" group_id="{group}">\n'
            self._stream.writelines([head, *track.shapes, "</track>\n"])
        self._stream.write("</annotations>\n")

    def _meta(self) -> Element:
        height, width = self._content.size
        meta = Element("meta")
        task = SubElement(meta, "task")
        SubElement(task, "size").text = str(self._content.count)
        SubElement(task, "mode").text = "interpolation"
        add_labels(task, self._content)
        size = SubElement(task, "original_size")
        SubElement(size, "width").text, SubElement(size, "height").text = str(width), str(height)
        return meta


@contextmanager
def open_writer(file: Path, content: Content) -> Iterator[CvatVideoWriter]:
    """Open a file to write to; it appears when it is whole.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with replacing(file, ".xml") as tmp, tmp.open("w", encoding="utf-8") as stream:
            writer = CvatVideoWriter(stream, content, tmp.parent)
            yield writer
            writer.finish()
    except OSError as problem:
        raise unwritable(file, problem) from problem
