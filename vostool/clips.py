"""Where frames come from: a folder of images, a video file, a sequence of a DAVIS root.

A clip is read as a stream, frame by frame, and is known by a fingerprint of its content.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vostool.errors import ClipError
from vostool.images import Frame, is_image, read_image

FRAMES_A_HEADER_MAY_OVERSTATE = 0.01
"""Containers without an index estimate their frame count; within this share (and two frames) a
video that ends early is taken as whole."""


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
    def size(self) -> tuple[int, int]:
        """(H, W) of the first frame, and so of all of them."""
        height, width = next(self.frames()).shape[:2]
        return height, width

    @cached_property
    def expected_frames(self) -> int:
        """How many frames there are, by the folder's listing or the video's header."""
        if self.files:
            return len(self.files)
        capture = _open_video(self.path)
        in_video = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if in_video <= 0:  # a stream without a header: there is no way but to go through it
            in_video = 0
            while capture.grab():
                in_video += 1
        return max(0, (in_video if self.stop is None else min(self.stop, in_video)) - self.start)

    @cached_property
    def fps(self) -> float:
        """Frames a second: the video's own, or 24 for a folder, as DAVIS shows its sequences."""
        return 24.0 if self.files else _open_video(self.path).get(cv2.CAP_PROP_FPS) or 24.0

    @cached_property
    def fingerprint(self) -> str:
        """BLAKE2 of the frames' bytes as they lie on disk, in order, and of the range taken.

        Renaming or moving a clip does not change it; editing one frame does.
        """
        digest = hashlib.blake2b(digest_size=20)
        for file in self.files or [self.path]:
            digest.update(file.stat().st_size.to_bytes(8, "big"))
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        if not self.files:
            digest.update(f"{self.start}:{self.stop}".encode())
        return digest.hexdigest()

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Decode the frames one after the other, from number ``start`` of this clip on.

        A video that breaks off is told of. One whose bytes are damaged in the middle is not: FFmpeg
        fills the picture up from its neighbours, and OpenCV passes on neither that it did, nor the
        options that would make it stop (``err_detect``, ``xerror`` and ``ec`` of
        ``OPENCV_FFMPEG_CAPTURE_OPTIONS`` do not reach the decoder).

        Raises:
            ImageError: a frame's file is not a whole image.
            ClipError: a frame is of another size; a video breaks off.
        """
        images = self._from_files(start) if self.files else self._from_video(start)
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
        capture = _open_video(self.path)
        # Seeking is inexact in many containers; grabbing is not, and costs little.
        skipped = 0
        while skipped < self.start + start and capture.grab():
            skipped += 1
        number = start
        while self.stop is None or number < self.stop - self.start:
            whole, image = capture.read()
            if not whole:
                break
            yield (
                f"{self.path}",
                cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False),
            )
            number += 1
        missing = self.expected_frames - number
        if missing > max(2, FRAMES_A_HEADER_MAY_OVERSTATE * self.expected_frames):
            end = self.start + number
            raise ClipError(
                f"{self.path}: breaks off at frame {end} of {self.start + self.expected_frames}; "
                f"repair the video, or take the whole part with --frames {self.start}:{end}"
            )


def open_clip(
    source: str | Path, *, name: str | None = None, frames: tuple[int, int | None] = (0, None)
) -> Clip:
    """Open a folder of frames or a video file, and look at its first frame.

    Args:
        source: the folder or file.
        name: the clip's name; by default the folder's name or the file's without its suffix.
        frames: the range of source frames to take, as Python counts them, (start, stop).

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
    if next(clip.frames(), None) is None:
        raise ClipError(f"{path}: not one frame can be decoded; is it a whole video?")
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


def _open_video(path: Path) -> cv2.VideoCapture:
    # As bytes: a name that is no text in this locale would crash OpenCV, were it a str.
    name: Any = os.fsencode(path)
    capture = cv2.VideoCapture(name)
    if not capture.isOpened():
        raise ClipError(f"{path}: OpenCV cannot open this video; is it whole, and a video at all?")
    return capture


def _natural_order(file: Path) -> list[tuple[int, str]]:
    """Sort key under which frame_2 comes before frame_10."""
    parts = re.split(r"(\d+)", file.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _pixels(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _range(frames: tuple[int, int | None]) -> str:
    return f"{frames[0]}:{'' if frames[1] is None else frames[1]}"
