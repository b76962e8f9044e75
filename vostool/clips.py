"""Where frames come from: a video file, a sequence of images, a sequence of a DAVIS root.

A clip is read as a stream, frame by frame, and is known by a fingerprint of its content.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from vostool.errors import ClipError, UsageError
from vostool.images import Frame, is_image, read_pages
from vostool.microscopy import is_zarr
from vostool.reading import Reading
from vostool.sequences import Picture, describe, is_pattern, list_pictures, missing, pattern_name

if TYPE_CHECKING:
    from vostool.microscopy.ome_zarr import OmeZarr
    from vostool.video import VideoIndex

SEQUENCE_FPS = 24.0
"""Frames a second of images, as DAVIS shows its sequences."""
ZARR_SUFFIX = re.compile(r"(\.ome)?\.zarr$")
IMAGES = "JPEG, PNG, TIFF, WebP or EXR images"


@dataclass(frozen=True)
class Clip:
    """A clip on disk, of which nothing has been decoded yet but its first frame.

    Attributes:
        name: what the clip is called in the store.
        path: the video file; or the folder, the image, the pattern or the OME-Zarr.
        start: the first source frame taken.
        stop: the source frame to stop before, or None for all of them.
        reading: how pictures are made of what is there.
    """

    name: str
    path: Path
    start: int = 0
    stop: int | None = None
    reading: Reading = field(default_factory=Reading)

    @cached_property
    def pictures(self) -> list[Picture]:
        """The images taken, in order; empty for a video and an OME-Zarr."""
        if self._is_video or self.ome_zarr is not None:
            return []
        return list_pictures(self.path, self.reading.channel)[self.start : self.stop]

    @property
    def files(self) -> list[Path]:
        """The files of the images taken, in order; empty for a video and an OME-Zarr."""
        return [picture.file for picture in self.pictures]

    @property
    def image_names(self) -> list[str] | None:
        """What the frames' images are called; None where they are not files of their own."""
        names = [file.name for file in self.files]
        return names if names and not self.path.is_file() else None

    @property
    def _is_video(self) -> bool:
        return not (self.path.is_dir() or is_pattern(self.path) or is_image(self.path))

    @cached_property
    def video(self) -> VideoIndex | None:
        """The frames of a video file; None for images.

        Raises:
            ClipError: it is no video.
        """
        if not self._is_video:
            return None
        from vostool.video import index_video

        return index_video(self.path)

    @cached_property
    def ome_zarr(self) -> OmeZarr | None:
        """The image of an OME-Zarr; None for other clips.

        Raises:
            ClipError: it is a zarr, and no image; or its channel has to be chosen.
        """
        if not is_zarr(self.path):
            return None
        from vostool.microscopy.ome_zarr import open_ome_zarr

        return open_ome_zarr(self.path, self.reading)

    @cached_property
    def size(self) -> tuple[int, int]:
        """(H, W) of the first frame, and so of all of them."""
        if source := self.video or self.ome_zarr:
            return source.size
        height, width = next(self.frames()).shape[:2]
        return height, width

    @property
    def expected_frames(self) -> int:
        """How many frames there are."""
        return len(self.times)

    @cached_property
    def times(self) -> list[float]:
        """When each frame is shown, in seconds from the first."""
        if self.video is None:
            count = len(self.pictures)
            if self.ome_zarr is not None:
                count = len(range(self.ome_zarr.planes.frames)[self.start : self.stop])
            return [number / self.fps for number in range(count)]
        ticks = self.video.ticks[self.start : self.stop]
        return [float((tick - ticks[0]) * self.video.time_base) for tick in ticks]

    @property
    def fps(self) -> float:
        """Frames a second, on average: as the clip tells, or 24."""
        source = self.video or self.ome_zarr
        return (source and source.fps) or SEQUENCE_FPS

    @cached_property
    def incomplete(self) -> str | None:
        """What is missing, in a line: the end of a video, numbers, or chunks; or None."""
        if self.ome_zarr is not None:
            gaps = describe(self.ome_zarr.absent(*self._range))
            filled = f"are taken for {self.ome_zarr.array.fill_value}, as zarr has it"
            return (
                f"{self.path}: chunks of frames {gaps} are not there, and {filled}"
                if gaps
                else None
            )
        if self.video is None:
            numbers = missing(self.pictures)
            return numbers and f"{self.path}: there is no image of the numbers {numbers}"
        there = len(self.video.ticks)
        if not self.video.cut_off or (self.stop is not None and self.stop <= there):
            return None
        return f"{self.path}: is cut off; its last whole frame is {there - 1}"

    @cached_property
    def fingerprint(self) -> str:
        """BLAKE2 of the frames as they are coded, in order, and of the range taken.

        Renaming or moving a clip does not change it, nor does putting a video into another
        container; editing one frame does, and so does another reading.
        """
        digest = hashlib.blake2b(digest_size=20)
        # Which channel it is, its pages and its chunks tell, whether by number or by name.
        if chosen := replace(self.reading, channel=None).as_dict():
            digest.update(json.dumps(chosen, sort_keys=True).encode())
        if self.ome_zarr is not None:
            digest.update(self.ome_zarr.digest(*self._range))
        if self.video is not None:
            digest.update(f"{self.video.digest}:{self.start}:{self.stop}".encode())
        if self.path.is_file() and self.pictures:
            digest.update(f"{self.start}:{self.stop}".encode())
            pages = [picture.page for picture in self.pictures]
            if pages != list(range(self.start, self.start + len(pages))):
                digest.update(json.dumps(pages).encode())
        for file in dict.fromkeys(self.files):
            digest.update(file.stat().st_size.to_bytes(8, "big"))
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()

    def check_reading(self) -> None:
        """Make sure that the choices are ones that there are for this clip.

        Raises:
            ClipError: they are not.
        """
        if self._is_video and self.reading.contrast:
            raise ClipError(f"{self.path}: is a video; --contrast is for images, leave it out")
        if not self._is_video and self.reading.deinterlace:
            raise ClipError(f"{self.path}: images; --deinterlace is for videos, leave it out")
        stack = is_zarr(self.path) or is_image(self.path)
        if self.reading.channel is not None and not stack:
            raise ClipError(
                f"{self.path}: --channel is for TIFF stacks and OME-Zarr images, leave it out"
            )

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Decode the frames one after the other, from number ``start`` of this clip on.

        Raises:
            ImageError: a frame's file is not a whole image.
            ClipError: a frame is of another size, or is damaged.
        """
        if self.video is not None:
            images = self._from_video(start)
        else:
            images = self._from_zarr(start) if self.ome_zarr else self._from_files(start)
        first: tuple[int, ...] | None = (*self.size, 3) if start else None
        for number, (label, image) in enumerate(images, start):
            first = first or image.shape
            if image.shape != first:
                raise ClipError(
                    f"{label}: frame {number} is {_pixels(image.shape)}, the frames before it are "
                    f"{_pixels(first)}; all frames of a clip must be of one size"
                )
            yield image

    def _from_files(self, start: int) -> Iterator[tuple[str, Frame]]:
        for file, pictures in groupby(self.pictures[start:], key=attrgetter("file")):
            pages = [picture.page for picture in pictures]
            for frame in read_pages(file, pages, self.reading.contrast):
                yield str(file), frame

    @property
    def _range(self) -> tuple[int, int]:
        """The source frames taken."""
        return self.start, self.start + self.expected_frames

    def _from_zarr(self, start: int) -> Iterator[tuple[str, Frame]]:
        assert self.ome_zarr is not None
        begin, end = self._range
        for frame in self.ome_zarr.read(begin + start, end):
            yield str(self.path), frame

    def _from_video(self, start: int) -> Iterator[tuple[str, Frame]]:
        from vostool.video import read_frames

        assert self.video is not None
        begin, end = self._range
        deinterlace = self.reading.deinterlace
        for frame in read_frames(self.video, begin + start, end, deinterlace=deinterlace):
            yield str(self.path), frame


def open_clip(
    source: str | Path,
    *,
    name: str | None = None,
    frames: tuple[int, int | None] = (0, None),
    strict: bool = False,
    reading: Reading = Reading(),  # noqa: B008 - it is frozen
) -> Clip:
    """Open a video file or images, and see that the first frame is one.

    Args:
        source: the video file; or a folder of images, one of many pages, a pattern such as
            ``shot_%04d.exr``, or the folder of an OME-Zarr image.
        name: the clip's name; by default the folder's name or the file's without its suffix.
        frames: the range of source frames to take, as Python counts them, (start, stop).
        strict: refuse a video that is cut off, a pattern that leaves numbers out, or an OME-Zarr
            that leaves chunks out; else what is there is taken.
        reading: how pictures are made of what is there.

    Raises:
        ClipError: there is no such thing, or it holds no frames; or it is not of a kind that can be
            read so.
        ImageError: the first frame's file is not a whole image.
    """
    path = Path(source)
    if not (path.exists() or is_pattern(path)):
        raise ClipError(f"{path}: no such clip; give a video file or a folder of {IMAGES}")
    if path.exists() and not (path.is_dir() or path.is_file()):
        raise ClipError(f"{path}: a pipe or a device; give a video file or a folder of frames")
    if frames[0] < 0 or (frames[1] or 0) < 0:
        raise ClipError(f"{path}: frames {_range(frames)} counts from the end; count from 0")
    clip = Clip(name or default_name(path), path, *frames, reading)
    clip.check_reading()
    if clip.expected_frames == 0:
        whole = replace(clip, start=0, stop=None).expected_frames
        if whole == 0:
            where = "match this pattern" if is_pattern(path) else "in this folder"
            raise ClipError(f"{path}: no {IMAGES} {where}")
        raise ClipError(f"{path}: frames {_range(frames)} is empty; the clip has {whole} frames")
    if clip.video is None:
        next(clip.frames())
    if strict and clip.incomplete:
        raise ClipError(
            f"{clip.incomplete}; restore it, or leave out --strict to take what is there"
        )
    return clip


def default_name(source: str | Path) -> str:
    """What a clip is called unless told otherwise: its folder's name, or its file's less suffix."""
    path = Path(source)
    if is_pattern(path):
        return pattern_name(path)
    if is_zarr(path):
        return ZARR_SUFFIX.sub("", path.resolve().name)
    return path.resolve().name if path.is_dir() else path.stem.removesuffix(".ome")


def name_clips(sources: Iterable[str]) -> dict[str, str]:
    """What each of many clips is called: their sources by their names, in order.

    Raises:
        UsageError: two would be called the same.
    """
    named: dict[str, str] = {}
    for source in sources:
        name = default_name(source)
        if named.setdefault(name, source) != source:
            raise UsageError(
                f"{named[name]} and {source} would both be called {name}; "
                "extract them one by one with --name"
            )
    return named


def open_davis_sequence(
    root: str | Path,
    sequence: str,
    *,
    name: str | None = None,
    frames: tuple[int, int | None] = (0, None),
) -> Clip:
    """Open ``ROOT/JPEGImages/480p/SEQUENCE``.

    Raises:
        ClipError: the root has no such sequence (the ones it has are counted in the message).
    """
    images = Path(root) / "JPEGImages" / "480p"
    folder = images / sequence
    if not images.is_dir():
        raise ClipError(f"{root}: not a DAVIS root; it has no folder JPEGImages/480p")
    if not sequence or "/" in sequence or not folder.is_dir():
        count = sum(entry.is_dir() for entry in images.iterdir())
        raise ClipError(f"{root}: no sequence {sequence!r} among its {count}; see {images}")
    return open_clip(folder, name=name or sequence, frames=frames)


def _pixels(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _range(frames: tuple[int, int | None]) -> str:
    return f"{frames[0]}:{'' if frames[1] is None else frames[1]}"
