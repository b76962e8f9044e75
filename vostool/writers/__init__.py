"""Masks as files: one file a format, and their table.

A format that joins is one module with a :class:`MaskWriter`, and one line of :data:`WRITERS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy.typing as npt

    from vostool.images import Frame

Takes: TypeAlias = Literal["labels", "objects", "alpha", "probabilities", "doubt"]
"""What a format is written of, a frame at a time: a :data:`vostool.images.Mask`,
:data:`~vostool.images.ObjectMasks`, :data:`~vostool.images.Alpha`,
:data:`~vostool.images.Probabilities` or :data:`~vostool.images.Doubt`."""


@dataclass(frozen=True)
class Format:
    """A format that masks can be written in.

    Attributes:
        module: has ``open_writer(path, content)``, a context manager that yields a
            :class:`MaskWriter`; what was written appears under the path when the context ends well.
        makes: what, in a few words.
        suffix: of the file that is made; none where it is a folder.
        takes: what its writer is given of each frame.
        shows_frames: the clip's frames are needed.
        shows_background: so is what is put behind the objects.
    """

    module: str
    makes: str
    suffix: str = ""
    takes: Takes = "labels"
    shows_frames: bool = False
    shows_background: bool = False


WRITERS = {
    "png": Format(f"{__name__}.png", "indexed PNGs, as vostool render does"),
    "overlay": Format(f"{__name__}.overlay", "a video to look at", ".mp4", shows_frames=True),
    "binary": Format(
        f"{__name__}.binary", "a folder of black and white PNGs an object", takes="objects"
    ),
    "coco": Format(f"{__name__}.coco", "COCO instances, RLE", ".json", "objects"),
    "composite": Format(
        f"{__name__}.composite",
        "a video before another ground",
        ".mp4",
        "alpha",
        shows_frames=True,
        shows_background=True,
    ),
    "cutout": Format(
        f"{__name__}.cutout", "RGBA PNGs of the objects", takes="alpha", shows_frames=True
    ),
    "cvat": Format(f"{__name__}.cvat", "CVAT for images 1.1, masks", ".xml", "objects"),
    "cvat-video": Format(
        f"{__name__}.cvat_video", "CVAT for video 1.1, tracks of polygons", ".xml", "objects"
    ),
    "davis": Format(f"{__name__}.davis", "a root laid out as DAVIS is", shows_frames=True),
    "exr": Format(
        f"{__name__}.exr", "OpenEXR images of the objects", takes="alpha", shows_frames=True
    ),
    "label-studio": Format(
        f"{__name__}.label_studio", "Label Studio tasks, RLE", ".json", "objects"
    ),
    "labelme": Format(
        f"{__name__}.labelme", "labelme, polygons", takes="objects", shows_frames=True
    ),
    "numpy": Format(f"{__name__}.numpy", "one array (T, H, W) uint8", ".npy"),
    "ome-zarr": Format(f"{__name__}.ome_zarr", "an OME-Zarr image with labels", shows_frames=True),
    "png-mov": Format(
        f"{__name__}.png_mov", "a video with alpha, no loss", ".mov", "alpha", shows_frames=True
    ),
    "probabilities": Format(
        f"{__name__}.probabilities", "a folder of grey PNGs an object", takes="probabilities"
    ),
    "probabilities-16": Format(
        f"{__name__}.probabilities_16", "the same in 16 bits", takes="probabilities"
    ),
    "prores": Format(
        f"{__name__}.prores", "a video with alpha, ProRes 4444", ".mov", "alpha", shows_frames=True
    ),
    "tiff": Format(f"{__name__}.tiff", "a stack of labels", ".tif"),
    "uncertainty": Format(
        f"{__name__}.uncertainty", "grey PNGs, white where masks are in doubt", takes="doubt"
    ),
    "vp9": Format(
        f"{__name__}.vp9", "a video with alpha, VP9", ".webm", "alpha", shows_frames=True
    ),
    "yolo": Format(
        f"{__name__}.yolo", "YOLO segmentation, polygons", takes="objects", shows_frames=True
    ),
    "youtube-vis": Format(
        f"{__name__}.youtube_vis", "YouTube-VIS instances, RLE", ".json", "objects"
    ),
    "youtube-vos": Format(
        f"{__name__}.youtube_vos", "a root laid out as YouTube-VOS is", shows_frames=True
    ),
}
"""The formats, by their names on the command line."""


@dataclass(frozen=True)
class Content:
    """What the masks to be written are of.

    Attributes:
        size: (H, W) of the clip.
        fps: frames a second.
        frames: the clip's frames in order, for formats that show them.
        keeps: names of what stays where a folder is replaced.
        times: when each frame is shown, in seconds; None for all at ``fps``.
        name: the clip's.
        object_ids: the objects that the masks can have, in order.
        count: how many frames there are.
        files: what the frames' images are called; None for ``%05d.jpg``.
        background: frames without end, of the clip's size, for formats that show it.
        made_from: what decides the masks; None where nobody asks.
    """

    size: tuple[int, int]
    fps: float
    frames: Iterator[Frame]
    keeps: tuple[str, ...] = ()
    times: Sequence[float] | None = None
    name: str = "clip"
    object_ids: tuple[int, ...] = ()
    count: int = 0
    files: Sequence[str] | None = None
    background: Iterator[Frame] = field(default_factory=lambda: iter(()))
    made_from: Mapping[str, Any] | None = None

    def file(self, frame: int) -> str:
        """What a frame's image is called."""
        return f"{frame:05d}.jpg" if self.files is None else self.files[frame]

    def time(self, frame: int) -> float:
        """When a frame is shown, in seconds."""
        return frame / self.fps if self.times is None else self.times[frame]


def object_name(object_id: int) -> str:
    """What an object is called: what it is, nobody said."""
    return f"object {object_id}"


class MaskWriter(Protocol):
    """Takes the masks of a clip, in order.

    Attributes:
        folder: the folder that is being made, until it takes its place; a file's, for a file.
    """

    folder: Path

    def write(self, frame: int, mask: npt.NDArray[Any], /) -> None:
        """Take the next frame's mask.

        Args:
            frame: its number, from 0.
            mask: what the format takes, see :data:`Takes`.
        """


def open_writer(name: str, path: Path, content: Content) -> AbstractContextManager[MaskWriter]:
    """Open a file or a folder to write masks to.

    Args:
        name: the format, one of :data:`WRITERS`.
        path: the file or the folder.
        content: what the masks are of.

    Raises:
        OutputError: it cannot be written there.
    """
    opened: AbstractContextManager[MaskWriter] = import_module(WRITERS[name].module).open_writer(
        path, content
    )
    return opened
