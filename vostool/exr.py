"""OpenEXR images, through PyAV: read as a screen shows them, and written with alpha."""

from __future__ import annotations

import struct
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

SCREEN = {"apply_trc": "iec61966_2_1", "err_detect": "explode"}
"""Options of FFmpeg's decoder: light as sRGB's signal, and no concealing."""
ROWS = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}
"""Of a block, by the kind of compression."""
WRITTEN = {"compression": "zip16", "format": "half"}
"""Options of FFmpeg's encoder."""
PLANES = (1, 2, 0, 3)
"""Which channels FFmpeg's planes of GBR and alpha are."""
TILED_OR_IN_PARTS = 0x1A00
"""Flags of files that are not rows of blocks alone."""


def read_exr(file: Path) -> npt.NDArray[np.uint8]:
    """Decode an image (H, W, 3) uint8, RGB: linear light as sRGB; what is brighter than 1 is white.

    Raises:
        ValueError: it is not a whole OpenEXR image.
    """
    try:
        if _is_cut(file.read_bytes()):
            raise ValueError("it is cut off")
        with av.open(f"file:{file}", "r", format="exr_pipe") as container:
            stream = container.streams.video[0]
            stream.codec_context.options = SCREEN
            frame = next(container.decode(stream))
            assert isinstance(frame, VideoFrame)
            return frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    except (FFmpegError, StopIteration) as problem:
        raise ValueError(getattr(problem, "strerror", "no picture in it")) from problem


def light_of(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """An sRGB picture with alpha (H, W, 4) as OpenEXR has it: linear light, times its alpha."""
    alpha = picture[..., 3:].astype(np.float32) / 255
    return np.concatenate([_linear()[picture[..., :3]] * alpha, alpha], axis=2)


@cache
def _linear() -> npt.NDArray[np.float32]:
    """The light of each value of sRGB (IEC 61966-2-1), 0 to 1."""
    signal = np.arange(256) / 255
    light = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def write_exr(file: Path, picture: npt.NDArray[np.float32]) -> None:
    """Write an image (H, W, 4), RGBA, in half floats.

    Raises:
        OSError: it cannot be written.
    """
    height, width = picture.shape[:2]
    frame = VideoFrame(width, height, "gbrapf32le")
    for plane, channel in zip(frame.planes, PLANES, strict=True):
        rows = np.zeros((height, plane.line_size // 4), np.float32)
        rows[:, :width] = picture[..., channel]
        plane.update(rows.tobytes())
    encoder = VideoCodecContext.create("exr", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, frame.format.name
    encoder.time_base, encoder.options = Fraction(1), WRITTEN
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    file.write_bytes(b"".join(map(bytes, packets)))


def _is_cut(content: bytes) -> bool:
    """Whether blocks of rows are missing at the end, where FFmpeg would leave black.

    Raises:
        ValueError: the head is cut off, or is none.
    """
    try:
        magic, version = struct.unpack_from("<II", content)
        if magic != 20000630:
            raise ValueError("no OpenEXR image")
        if version & TILED_OR_IN_PARTS:
            return False
        place, attributes = 8, {}
        while content[place]:
            name, kind = content[place : place + 512].split(b"\0", 2)[:2]
            place += len(name) + len(kind) + 2
            (size,) = struct.unpack_from("<i", content, place)
            attributes[name] = content[place + 4 : place + 4 + size]
            place += 4 + size
        _, top, _, bottom = struct.unpack("<iiii", attributes[b"dataWindow"])
        blocks = -(-(bottom - top + 1) // ROWS[attributes[b"compression"][0]])
        last = max(struct.unpack_from(f"<{blocks}Q", content, place + 1))
        _, size = struct.unpack_from("<ii", content, last)
        return bool(last + 8 + size > len(content))
    except (struct.error, IndexError, KeyError) as problem:
        raise ValueError("its head is cut off") from problem
