"""YouTube-VIS: an annotation an object, with its mask's run lengths in every frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vostool.files import replacing, unwritable
from vostool.images import ObjectMasks
from vostool.version import __version__
from vostool.writers import Content
from vostool.writers.rle import categories, run_lengths

PARTS = ("segmentation", "bbox", "area")


class YoutubeVisWriter:
    """A :class:`vostool.writers.MaskWriter`: an object's run lengths are kept until all are there.

    They take some KB a frame and object.

    Args:
        content: what the masks are of.
        folder: where it is being made.
    """

    def __init__(self, content: Content, folder: Path) -> None:
        self._content, self.folder = content, folder
        self._tracks: dict[int, dict[str, list[Any]]] = {
            object_id: {part: [] for part in PARTS} for object_id in content.object_ids
        }
        self._frames = 0

    def write(self, frame: int, masks: ObjectMasks) -> None:
        """Take the next frame's masks."""
        self._frames += 1
        for track, mask in zip(self._tracks.values(), masks, strict=True):
            runs = run_lengths(mask) or dict.fromkeys(PARTS)
            for part in PARTS:
                track[part].append(runs[part])

    def document(self) -> dict[str, Any]:
        """All of it."""
        height, width = self._content.size
        names = [f"{self._content.name}/{self._content.file(n)}" for n in range(self._frames)]
        video = {"id": 1, "file_names": names, "length": self._frames}
        size = {"height": height, "width": width}
        annotations = [
            {"id": number, "video_id": 1, "category_id": object_id, "iscrowd": 0, **size,
             "segmentations": track["segmentation"], "bboxes": track["bbox"],
             "areas": track["area"]}
            for number, (object_id, track) in enumerate(self._tracks.items(), 1)
        ]  # fmt: skip
        return {
            "info": {"description": self._content.name, "contributor": f"vostool {__version__}"},
            "videos": [{**video, **size}],
            "categories": categories(self._content.object_ids),
            "annotations": annotations,
        }


@contextmanager
def open_writer(file: Path, content: Content) -> Iterator[YoutubeVisWriter]:
    """Open a file to write to; it appears when it is whole.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with replacing(file, ".json") as tmp:
            writer = YoutubeVisWriter(content, tmp.parent)
            yield writer
            tmp.write_text(json.dumps(writer.document()) + "\n")
    except OSError as problem:
        raise unwritable(file, problem) from problem
