"""Label Studio: a task a frame, with an object's mask as a brush's run lengths.

They are those of the package rle-pack, of the four channels of an image that is as opaque as it is
bright, a byte each: https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from vostool.files import replacing, unwritable
from vostool.images import Mask, ObjectMasks
from vostool.writers import Content, object_name

TOOL, PICTURE = "mask", "image"
"""What the labelling interface calls its ``BrushLabels`` and its ``Image``."""
LOCAL_FILES = "/data/local-files/?d="
"""Where Label Studio serves images from that lie in its local storage."""
CHANNELS, BYTE = 4, 8
LENGTH_BITS = (3, 4, 8, 16)
"""In how many bits a run's length is told, by the kinds of runs that rle-pack has."""


class LabelStudioWriter:
    """A :class:`vostool.writers.MaskWriter`: tasks as they come.

    Args:
        stream: the file.
        content: what the masks are of.
        folder: where it is being made.
    """

    def __init__(self, stream: TextIO, content: Content, folder: Path) -> None:
        self._stream, self._content, self.folder = stream, content, folder
        self._before = "["

    def write(self, frame: int, masks: ObjectMasks) -> None:
        """Take the next frame's masks."""
        height, width = masks.shape[1:]
        result = [
            {"id": f"{frame}-{object_id}", "type": "brushlabels", "from_name": TOOL,
             "to_name": PICTURE, "original_width": width, "original_height": height,
             "image_rotation": 0, "value": _brush(mask, object_id)}
            for object_id, mask in zip(self._content.object_ids, masks, strict=True)
            if mask.any()
        ]  # fmt: skip
        image = f"{LOCAL_FILES}{self._content.name}/{self._content.file(frame)}"
        task = {"data": {PICTURE: image}, "annotations": [{"result": result}]}
        self._stream.write(f"{self._before}\n{json.dumps(task)}")
        self._before = ","

    def finish(self) -> None:
        """Write the end."""
        self._stream.write("\n]\n")


def _brush(mask: Mask, object_id: int) -> dict[str, Any]:
    labels = [object_name(object_id)]
    return {"format": "rle", "rle": list(pack(255 * mask)), "brushlabels": labels}


def pack(grey: Mask) -> bytes:
    """The run lengths of an image (H, W) uint8, its value in each of four channels."""
    flat = grey.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    starts = np.concatenate([[0], changes])
    lengths = np.diff(starts, append=flat.size) * CHANNELS
    bits = [f"{flat.size * CHANNELS:032b}{BYTE - 1:05b}"]
    bits += [f"{size - 1:04b}" for size in LENGTH_BITS]
    for value, length in zip(flat[starts].tolist(), lengths.tolist(), strict=True):
        while length:
            kind = next((k for k, n in enumerate(LENGTH_BITS) if length <= 1 << n), -1)
            size = LENGTH_BITS[kind]
            part = min(length, 1 << size)
            bits.append(f"1{kind % len(LENGTH_BITS):02b}{part - 1:0{size}b}{value:08b}")
            length -= part
    packed = "".join(bits)
    packed += "0" * (-len(packed) % BYTE)
    return int(packed, 2).to_bytes(len(packed) // BYTE, "big")


@contextmanager
def open_writer(file: Path, content: Content) -> Iterator[LabelStudioWriter]:
    """Open a file to write to; it appears when it is whole.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        with replacing(file, ".json") as tmp, tmp.open("w") as stream:
            writer = LabelStudioWriter(stream, content, tmp.parent)
            yield writer
            writer.finish()
    except OSError as problem:
        raise unwritable(file, problem) from problem
