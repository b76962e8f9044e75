"""A root laid out as YouTube-VOS is: JPEGs, indexed PNGs, and which object is in which frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vostool.images import Mask
from vostool.writers import Content
from vostool.writers.davis import RootWriter
from vostool.writers.folders import whole_folder


class YoutubeVosWriter(RootWriter):
    """A :class:`vostool.writers.MaskWriter`: as DAVIS's, and notes which objects are seen.

    Args:
        folder: the root.
        content: what the masks are of.
    """

    def __init__(self, folder: Path, content: Content) -> None:
        super().__init__(folder, content, "")
        self._name = content.name
        self._seen: dict[int, list[str]] = {object_id: [] for object_id in content.object_ids}

    def write(self, frame: int, mask: Mask) -> None:
        """Take the next frame's mask."""
        super().write(frame, mask)
        for object_id in np.unique(mask[mask > 0]).tolist():
            self._seen[object_id].append(f"{frame:05d}")

    def finish(self) -> None:
        """Write ``meta.json``."""
        objects = {
            str(object_id): {"category": "object", "frames": frames}
            for object_id, frames in self._seen.items()
            if frames
        }
        meta = {"videos": {self._name: {"objects": objects}}}
        (self.folder / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")


@contextmanager
def open_writer(folder: Path, content: Content) -> Iterator[YoutubeVosWriter]:
    """Open a folder to write to; it appears when it is whole, and holds nothing else.

    Raises:
        OutputError: it cannot be written to.
    """
    with whole_folder(folder) as made:
        writer = YoutubeVosWriter(made, content)
        yield writer
        writer.finish()
