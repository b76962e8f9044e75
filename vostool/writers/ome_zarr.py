"""OME-Zarr 0.5, as microscopists' viewers open it: the frames, with the masks as their labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zarr
from zarr.storage import LocalStore

from vostool.images import Mask
from vostool.masks import davis_palette
from vostool.writers import Content, object_name
from vostool.writers.folders import whole_folder

VERSION = "0.5"
LABELS = "objects"
"""What the masks are called among an image's labels."""
TYPES = {"t": "time", "c": "channel", "y": "space", "x": "space"}

CHANNELS = [
    {"label": name, "color": colour, "active": True,
     "window": {"min": 0, "max": 255, "start": 0, "end": 255}}
    for name, colour in (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))
]  # fmt: skip
"""By which viewers, and vostool, show the frames in colour."""


class OmeZarrWriter:
    """A :class:`vostool.writers.MaskWriter`: a chunk a frame, of both.

    Args:
        folder: the group.
        content: what the masks are of.
    """

    def __init__(self, folder: Path, content: Content) -> None:
        self.folder, self._content = folder, content
        image = zarr.create_group(LocalStore(folder), zarr_format=3)
        image.attrs["ome"] = _metadata("tcyx", content) | {"omero": {"channels": CHANNELS}}
        self._image = _array(image, "tcyx", (3, *content.size), content.count)
        labels = image.create_group("labels")
        labels.attrs["ome"] = {"version": VERSION, "labels": [LABELS]}
        objects = labels.create_group(LABELS)
        objects.attrs["ome"] = _metadata("tyx", content) | {"image-label": _objects(content)}
        self._labels = _array(objects, "tyx", content.size, content.count)

    def write(self, frame: int, mask: Mask) -> None:
        """Take the next frame's mask."""
        self._image[frame] = next(self._content.frames).transpose(2, 0, 1)
        self._labels[frame] = mask


def _array(group: zarr.Group, axes: str, shape: tuple[int, ...], count: int) -> zarr.Array[Any]:
    return group.create_array(
        "0", shape=(count, *shape), chunks=(1, *shape), dtype="uint8", dimension_names=list(axes)
    )


def _metadata(axes: str, content: Content) -> dict[str, Any]:
    """That there is one scale, and how far apart its values are."""
    named = [{"name": axis, "type": TYPES[axis]} for axis in axes]
    named[0]["unit"] = "second"
    scale = [1 / content.fps, *[1.0] * (len(axes) - 1)]
    dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    multiscale = {"name": content.name, "axes": named, "datasets": [dataset]}
    return {"version": VERSION, "multiscales": [multiscale]}


def _objects(content: Content) -> dict[str, Any]:
    """What labels mean, and the colours that they have elsewhere, too."""
    palette = davis_palette().tolist()
    return {
        "version": VERSION,
        "source": {"image": "../../"},
        "colors": [{"label-value": k, "rgba": [*palette[k], 255]} for k in content.object_ids],
        "properties": [
            {"label-value": k, "name": object_name(k)} for k in content.object_ids
        ],
    }  # fmt: skip


@contextmanager
def open_writer(folder: Path, content: Content) -> Iterator[OmeZarrWriter]:
    """Open a folder to write to; it appears when it is whole, and holds nothing else.

    Raises:
        OutputError: it cannot be written to.
    """
    with whole_folder(folder) as made:
        yield OmeZarrWriter(made, content)
