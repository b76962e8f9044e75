"""Reading OpenEXR images, through PyAV, as a screen shows them."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError
from av.video.frame import VideoFrame

SCREEN = {"apply_trc": "iec61966_2_1", "err_detect": "explode"}
"""Options of FFmpeg's decoder: light as sRGB's signal, and no concealing."""
ROWS = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}
"""Of a block, by the kind of compression."""
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
