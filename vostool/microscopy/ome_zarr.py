"""OME-Zarr images, of version 0.4 (zarr format 2) and 0.5 (format 3), read a few planes at a time.

https://ngff.openmicroscopy.org/0.5
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, product
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec

from vostool.errors import ClipError
from vostool.images import Frame, as_8_bits
from vostool.microscopy.planes import Planes
from vostool.reading import Reading

AXIS_OF = {"time": "t", "channel": "c"}
"""What axes of a type are called here; those of space have their own names."""
SECONDS = {
    "microsecond": 1e-6, "millisecond": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0,
    "day": 86400.0,
}  # fmt: skip
SLOWEST, FASTEST = 1.0, 1000.0
"""Frames a second at which a clip can be shown; a time lapse, which is slower, is shown faster."""
RED, GREEN, BLUE = "FF0000", "00FF00", "0000FF"
BLOSC_HEAD = 16
"""Bytes of a chunk that Blosc packed, the last 4 of which tell the chunk's length."""
BLOCK_BYTES = 1 << 28
"""Of planes that are read at once, at most, where chunks hold more than one."""


@dataclass(frozen=True)
class OmeZarr:
    """An image of which nothing has been read yet but its metadata.

    Attributes:
        planes: how its planes are arranged.
        array: the highest resolution.
        files: the folder of its chunks.
        axes: of the array, in order, the last two of them y and x.
        channels: the channel that is shown in grey; or three, red, green and blue.
        contrast: the values that become black and white; None for all that their bits can tell.
        fps: frames a second, where the image tells it and a screen can show it.
    """

    planes: Planes
    array: zarr.Array[Any]
    files: Path
    axes: str
    channels: tuple[int, ...]
    contrast: tuple[float, float] | None
    fps: float | None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of a frame."""
        height, width = self.array.shape[-2:]
        return height, width

    @property
    def _deep(self) -> int:
        """How many frames share a chunk."""
        return self._along(self.planes.frame_axis, self.array.chunks)

    def _along(self, axis: str | None, of: tuple[int, ...]) -> int:
        return 1 if axis is None else of[self.axes.index(axis)]

    def read(self, start: int, stop: int) -> Iterator[Frame]:
        """The frames start..stop-1; those of a chunk at once, as far as memory allows.

        Raises:
            ClipError: a chunk is damaged or cannot be read; or is missing, and the image does not
                tell what is to be there instead.
            ImageError: there are values that need a contrast.
        """
        if self.array.fill_value is None and (absent := self.absent(start, stop)):
            raise ClipError(
                f"{self.planes.path}: lacks chunks of frame {absent[0][0]}; copy it again"
            )
        most = max(1, BLOCK_BYTES // max(1, math.prod(self.size) * self.array.dtype.itemsize))
        first = start
        while first < stop:
            last = min(stop, (first // self._deep + 1) * self._deep, first + most)
            yield from map(self._shown, self._block(first, last))
            first = last

    def _block(self, first: int, last: int) -> npt.NDArray[Any]:
        """Planes (frames, channels, H, W) as they are."""
        frame_axis = self.planes.frame_axis
        where: dict[str, int | slice] = dict.fromkeys(self.axes[:-2], 0)
        if frame_axis:
            where[frame_axis] = slice(first, last)
        planes = []
        try:
            self._check_whole(first, last)
            for channel in self.channels:
                if "c" in where:
                    where["c"] = channel
                planes.append(np.asarray(self.array[(*where.values(), slice(None), slice(None))]))
        except Exception as problem:  # whatever a codec or a file system comes up with
            raise ClipError(
                f"{self.planes.path}: {_frames(range(first, last))} cannot be read "
                f"({' '.join(str(problem).split()) or type(problem).__name__}); restore it"
            ) from problem
        return np.stack(planes, axis=1) if frame_axis else np.stack(planes)[None]

    def _check_whole(self, first: int, last: int) -> None:
        """Make sure that chunks of Blosc are as long as they say, which it does not see to itself.

        Raises:
            ValueError: one is cut off.
        """
        blosc = any(
            isinstance(codec, BloscCodec) or getattr(codec, "codec_id", None) == "blosc"
            for codec in self.array.compressors
        )
        if not blosc or self.array.shards:  # whose index is at the end, and has a checksum
            return
        for part in self._parts(first, last):
            for file in filter(Path.is_file, self._chunks(part)):
                with file.open("rb") as stream:
                    told = int.from_bytes(stream.read(BLOSC_HEAD)[-4:], "little")
                if file.stat().st_size < max(told, BLOSC_HEAD):
                    raise ValueError(f"{file.relative_to(self.files)} is cut off")

    def _shown(self, planes: npt.NDArray[Any]) -> Frame:
        shown = [as_8_bits(plane, self.contrast, self.planes.path) for plane in planes]
        return np.stack(shown if len(shown) == 3 else shown * 3, axis=-1)

    def absent(self, start: int, stop: int) -> list[range]:
        """Of the frames start..stop-1 the runs of which chunks are missing: zarr fills them up.

        Programs leave out chunks that hold nothing but the fill value, so they may be meant so.
        """
        parts = self._parts(start, stop)
        there = (all(file.is_file() for file in self._chunks(part)) for part in parts)
        runs = groupby(zip(parts, there, strict=True), key=itemgetter(1))
        gaps = [[part for part, _ in run] for whole, run in runs if not whole]
        return [
            range(max(start, gap[0] * self._held), min(stop, (gap[-1] + 1) * self._held))
            for gap in gaps
        ]

    @property
    def is_empty(self) -> bool:
        """Whether there is not one chunk: of a copy that was broken off, perhaps."""
        parts = self._parts(0, self.planes.frames)
        return not any(file.is_file() for part in parts for file in self._chunks(part))

    @property
    def _held(self) -> int:
        """How many frames share a file."""
        return self._along(self.planes.frame_axis, self._stored)

    def _parts(self, start: int, stop: int) -> range:
        """The places along the frames of the files that hold frames start..stop-1."""
        return range(start // self._held, -(-stop // self._held))

    @property
    def _stored(self) -> tuple[int, ...]:
        """The shape of what a file holds: a chunk, or a shard of them."""
        return self.array.shards or self.array.chunks

    def _chunks(self, part: int) -> list[Path]:
        """The files of all places of a part of the frames, in the channels that are shown."""
        along: list[Iterable[int]] = []
        for axis, size, held in zip(self.axes, self.array.shape, self._stored, strict=True):
            if axis == self.planes.frame_axis:
                along.append([part])
            elif axis == "c":
                along.append(dict.fromkeys(channel // held for channel in self.channels))
            else:
                along.append(range(-(-size // held) if axis in "yx" else 1))
        key = self.array.metadata.encode_chunk_key
        return [self.files / key(place) for place in product(*along)]

    def digest(self, start: int, stop: int) -> bytes:
        """Of the frames start..stop-1 as they are coded, and of what says how they are read.

        Raises:
            ClipError: a chunk cannot be read.
        """
        hashed = hashlib.blake2b(digest_size=20)
        told = _json(self.files, "zarr.json") or _json(self.files, ".zarray")
        told = {key: value for key, value in told.items() if key != "attributes"}
        chosen = [self.axes, self.channels, start, stop, told]
        hashed.update(json.dumps(chosen, sort_keys=True).encode())
        for part in self._parts(start, stop):
            for file in self._chunks(part):
                _hash_file(hashed, file)
        return hashed.digest()


def _hash_file(hashed: hashlib.blake2b, file: Path) -> None:
    try:
        with file.open("rb") as stream:
            hashed.update(file.stat().st_size.to_bytes(8, "big"))
            while block := stream.read(1 << 20):
                hashed.update(block)
    except (FileNotFoundError, IsADirectoryError):
        hashed.update(b"missing!")
    except OSError as problem:
        raise ClipError(f"{file}: cannot be read ({problem.strerror}); restore it") from problem


def open_ome_zarr(path: Path, reading: Reading) -> OmeZarr:
    """Open an image: the first of its scales, which is the highest resolution.

    Args:
        path: the folder of the image.
        reading: which channel is shown, and with what contrast.

    Raises:
        ClipError: it is no image, or one that cannot be a clip; or its channel has to be chosen.
    """
    attributes = _attributes(path)
    if "multiscales" not in attributes:
        raise ClipError(f"{path}: {_what_instead(attributes)}")
    try:
        (scales, *_) = attributes["multiscales"]
        axes = [AXIS_OF.get(axis.get("type"), axis["name"].lower()) for axis in scales["axes"]]
        (highest, *_) = scales["datasets"]
        place, factors = highest["path"], _factors(scales, highest, len(axes))
        if Path(place).is_absolute() or ".." in Path(place).parts:
            raise ValueError(f"its data lie elsewhere, in {place}")
        array = zarr.open_array(path / place, mode="r")
        units = [axis.get("unit") for axis in scales["axes"]]
        names, colours = _channels(attributes)
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as problem:
        raise ClipError(
            f"{path}: not an OME-Zarr image of version 0.4 or 0.5 ({problem}); convert it"
        ) from problem
    _check_axes(path, axes, array.shape)
    planes = Planes(path, dict(zip(axes[:-2], array.shape, strict=False)), names)
    plain = array.dtype == np.uint8 and not colours
    opened = OmeZarr(
        planes, array, path / place, "".join(axes),
        _chosen(planes, reading.channel, (RED, GREEN, BLUE) if plain else colours),
        reading.contrast, _fps(planes.frame_axis, axes, factors, units),
    )  # fmt: skip
    if opened.is_empty:
        raise ClipError(f"{path / place}: not one of its chunks is there; copy it again")
    return opened


def _json(folder: Path, name: str) -> dict[str, Any]:
    """A metadata file's content; nothing where there is no such file.

    Raises:
        ClipError: it is no JSON object.
    """
    try:
        content = json.loads((folder / name).read_text("utf-8"))
        if not isinstance(content, dict):
            raise ValueError("no object")
        return content
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        raise ClipError(f"{folder / name}: not whole ({problem}); restore it") from problem


def _attributes(path: Path) -> Mapping[str, Any]:
    """OME's metadata of a group: in format 2 beside it, in format 3 within."""
    ours = _json(path, "zarr.json").get("attributes", {}).get("ome") or _json(path, ".zattrs")
    return ours if isinstance(ours, Mapping) else {}


def _what_instead(attributes: Mapping[str, Any]) -> str:
    """What a folder is that is no image, and which image in it could be named."""
    try:
        if "plate" in attributes:
            well = attributes["plate"]["wells"][0]["path"]
            return f"is a plate of wells; name one of its images, such as {well}/0 in it"
        if "well" in attributes:
            image = attributes["well"]["images"][0]["path"]
            return f"is a well of a plate; name one of its images, such as {image} in it"
        if "labels" in attributes:
            return (
                f"is a group of labels; name one of them, such as {attributes['labels'][0]} in it"
            )
    except (KeyError, IndexError, TypeError):
        pass
    if "bioformats2raw.layout" in attributes:
        return "is a collection of images; name one of them, such as 0 in it"
    return "is a zarr without an OME-Zarr image; name the folder of one, with multiscales in it"


def _factors(scales: Any, dataset: Any, count: int) -> list[float]:
    """How far apart values are along each axis, in its unit."""
    factors = [1.0] * count
    for told in (scales, dataset):
        for change in told.get("coordinateTransformations", []):
            if change["type"] == "scale":
                factors = [a * float(b) for a, b in zip(factors, change["scale"], strict=True)]
    return factors


def _channels(attributes: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and colours, such as FF0000, as far as they are told."""
    told = attributes.get("omero", {}).get("channels", [])
    names = [str(channel.get("label", "")) for channel in told]
    colours = [str(channel.get("color", "")).upper().lstrip("#") for channel in told]
    return tuple(names), tuple(colours)


def _check_axes(path: Path, axes: list[str], shape: tuple[int, ...]) -> None:
    strange = [axis for axis in axes[:-2] if axis not in ("t", "c", "z")]
    if len(axes) != len(shape) or axes[-2:] != ["y", "x"] or len(set(axes)) < len(axes) or strange:
        raise ClipError(
            f"{path}: its axes are {', '.join(axes)} of {len(shape)}; those of a clip are t, c, z, "
            "y, x or some of them, y and x last"
        )


def _chosen(planes: Planes, channel: int | str | None, colours: tuple[str, ...]) -> tuple[int, ...]:
    """The channel that is shown; or those of red, green and blue, where they make up a picture."""
    if channel is None and planes.channels == 3 and set(colours) == {RED, GREEN, BLUE}:
        return tuple(colours.index(colour) for colour in (RED, GREEN, BLUE))
    return (planes.channel(channel),)


def _fps(
    frame_axis: str | None, axes: list[str], factors: list[float], units: list[str | None]
) -> float | None:
    if frame_axis != "t":
        return None
    number = axes.index("t")
    seconds = factors[number] * SECONDS.get(units[number] or "", math.nan)
    fps = 1 / seconds if seconds > 0 else math.nan
    return fps if SLOWEST <= fps <= FASTEST else None


def _frames(numbers: range) -> str:
    first, last = numbers[0], numbers[-1]
    return f"frame {first}" if first == last else f"frames {first} to {last}"
