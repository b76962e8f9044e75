"""Frames from memory as a video file without loss, which then is a clip like any other."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vostool.errors import ClipError, OutputError
from vostool.files import replacing, unwritable
from vostool.images import Frame

CODEC, PIXELS = "ffv1", "bgr0"
"""Without loss; and RGB as it is."""


def write_clip(file: str | Path, frames: Iterable[Frame], *, fps: float = 24.0) -> Path:
    """Write frames as a video file without loss, one at a time; it appears when it is whole.

    Args:
        file: where to, a name that ends in .mkv.
        frames: (H, W, 3) uint8 RGB each: an array (T, H, W, 3), a list, or an iterator.
        fps: frames a second.

    Returns:
        The file, for :func:`vostool.open`.

    Raises:
        ClipError: there is no frame, or one is of another shape or kind.
        OutputError: the file is there, or cannot be written.
    """
    file = Path(file)
    if file.exists():
        raise OutputError(f"{file}: is there; name another")
    rate = Fraction(fps).limit_denominator(1001)
    try:
        with replacing(file, ".mkv") as tmp, av.open(f"file:{tmp}", "w") as container:
            stream = container.add_stream(CODEC, rate=rate)
            assert isinstance(stream, VideoStream)
            first: tuple[int, ...] | None = None
            for number, frame in enumerate(frames):
                _check(file, number, frame, first or frame.shape)
                if first is None:
                    first = frame.shape
                    stream.height, stream.width, stream.pix_fmt = *first[:2], PIXELS
                picture = VideoFrame.from_ndarray(np.ascontiguousarray(frame))
                picture.pts, picture.time_base = number, 1 / rate
                container.mux(stream.encode(picture))
            if first is None:
                raise ClipError(f"{file}: there is no frame to write")
            container.mux(stream.encode())
    except (FFmpegError, OSError) as problem:
        raise unwritable(file, problem) from problem
    return file


def _check(file: Path, number: int, frame: Frame, first: tuple[int, ...]) -> None:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise ClipError(
            f"{file}: frame {number} is {frame.dtype} of shape {frame.shape}; give (H, W, 3) uint8"
        )
    if frame.shape != first:
        raise ClipError(
            f"{file}: frame {number} is of shape {frame.shape}, the first is of {first}; "
            "all frames of a clip must be of one size"
        )
