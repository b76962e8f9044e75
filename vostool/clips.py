"""Where frames come from: a folder of images, a video file, a sequence of a DAVIS root.

A clip is read as a stream, frame by frame, and is known by a fingerprint of its content.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vostool.errors import ClipError
from vostool.images import Frame, is_image, read_image

if TYPE_CHECKING:
    from vostool.video import VideoIndex

FOLDER_FPS = 24.0
"""Frames a second of a folder, as DAVIS shows its sequences."""


@dataclass(frozen=True)
class Clip:
    """A clip on disk, of which nothing has been decoded yet but its first frame.

    Attributes:
        name: what the clip is called in the store.
        path: the folder or the video file.
        start: the first source frame taken.
        stop: the source frame to stop before, or None for all of them.
    """

    name: str
    path: Path
    start: int = 0
    stop: int | None = None

    @cached_property
    def files(self) -> list[Path]:
        """The image files taken, in natural order of their names; empty for a video.

        Hidden files are none of them.
        """
        if not self.path.is_dir():
            return []
        images = filter(is_image, self.path.iterdir())
        return sorted(images, key=lambda file: (_natural_order(file), file.name))[
            self.start : self.stop
        ]

    @cached_property
    def video(self) -> VideoIndex | None:
        """The frames of a video file; None for a folder.

        Raises:
            ClipError: it is no video.
        """
        if self.path.is_dir():
            return None
        from vostool.video import index_video

        return index_video(self.path)

    @cached_property
    def size(self) -> tuple[int, int]:
        """(H, W) of the first frame, and so of all of them."""
        if self.video:
            return self.video.size
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
            return [number / FOLDER_FPS for number in range(len(self.files))]
        ticks = self.video.ticks[self.start : self.stop]
        return [float((tick - ticks[0]) * self.video.time_base) for tick in ticks]

    @property
    def fps(self) -> float:
        """Frames a second, on average: the video's own, or 24 for a folder."""
        return FOLDER_FPS if self.video is None else self.video.fps

    @property
    def cut_off(self) -> str | None:
        """That frames are missing at the end, for the file is not whole, in a line; or None."""
        if self.video is None or not self.video.cut_off:
            return None
        there = len(self.video.ticks)
        if self.stop is not None and self.stop <= there:
            return None
        return f"{self.path}: is cut off; its last whole frame is {there - 1}"

    @cached_property
    def fingerprint(self) -> str:
        """BLAKE2 of the frames as they are coded, in order, and of the range taken.

        Renaming or moving a clip does not change it, nor does putting a video into another
        container; editing one frame does.
        """
        digest = hashlib.blake2b(digest_size=20)
        if self.video is not None:
            digest.update(f"{self.video.digest}:{self.start}:{self.stop}".encode())
        for file in self.files:
            digest.update(file.stat().st_size.to_bytes(8, "big"))
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Decode the frames one after the other, from number ``start`` of this clip on.

        Raises:
            ImageError: a frame's file is not a whole image.
            ClipError: a frame is of another size, or is damaged.
        """
        images = self._from_files(start) if self.video is None else self._from_video(start)
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
        for file in self.files[start:]:
            yield str(file), read_image(file)

    def _from_video(self, start: int) -> Iterator[tuple[str, Frame]]:
        from vostool.video import read_frames

        assert self.video is not None
        begin = self.start + start
        for frame in read_frames(self.video, begin, self.start + self.expected_frames):
            yield str(self.path), frame


def open_clip(
    source: str | Path,
    *,
    name: str | None = None,
    frames: tuple[int, int | None] = (0, None),
    strict: bool = False,
) -> Clip:
    """Open a folder of frames or a video file, and see that its first frame is one.

    Args:
        source: the folder or file.
        name: the clip's name; by default the folder's name or the file's without its suffix.
        frames: the range of source frames to take, as Python counts them, (start, stop).
        strict: refuse a video that is cut off, of which else the whole frames are taken.

    Raises:
        ClipError: there is no such thing, it holds no frames, or the first does not decode.
        ImageError: the first frame's file is not a whole image.
    """
    path = Path(source)
    if not path.exists():
        raise ClipError(
            f"{path}: no such clip; give a folder of JPEG or PNG frames or a video file"
        )
    if not (path.is_dir() or path.is_file()):
        raise ClipError(f"{path}: a pipe or a device; give a video file or a folder of frames")
    if frames[0] < 0 or (frames[1] or 0) < 0:
        raise ClipError(f"{path}: frames {_range(frames)} counts from the end; count from 0")
    clip = Clip(name or default_name(path), path, *frames)
    if path.is_dir() and not clip.files:
        whole = replace(clip, start=0, stop=None).files
        if whole:
            raise ClipError(
                f"{path}: frames {_range(frames)} is empty; the clip has {len(whole)} frames"
            )
        raise ClipError(f"{path}: no JPEG or PNG frames in this folder")
    if not path.is_dir() and clip.expected_frames == 0:
        raise ClipError(f"{path}: frames {_range(frames)} is empty; the video is shorter")
    if path.is_dir():
        next(clip.frames())
    if strict and clip.cut_off:
        raise ClipError(f"{clip.cut_off}; restore it, or leave out --strict to take what is there")
    return clip


def default_name(source: str | Path) -> str:
    """What a clip is called unless told otherwise: its folder's name, or its file's less suffix."""
    path = Path(source)
    return path.resolve().name if path.is_dir() else path.stem


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


def _natural_order(file: Path) -> list[tuple[int, str]]:
    """Sort key under which frame_2 comes before frame_10."""
    parts = re.split(r"(\d+)", file.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _pixels(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _range(frames: tuple[int, int | None]) -> str:
    return f"{frames[0]}:{'' if frames[1] is None else frames[1]}"
