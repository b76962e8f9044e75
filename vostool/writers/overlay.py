"""A video to look at: the objects' colours over the frames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vostool.errors import OutputError
from vostool.files import replacing, unwritable
from vostool.images import Frame, Mask
from vostool.masks import overlay
from vostool.outputs import mark_video
from vostool.writers import Content


class OverlayWriter:
    """A :class:`vostool.writers.MaskWriter`: a frame of video a mask.

    Args:
        video: OpenCV's writer.
        frames: what lies under the masks, in order.
        folder: where it is being made.
    """

    def __init__(self, video: cv2.VideoWriter, frames: Iterator[Frame], folder: Path) -> None:
        self._video, self._frames, self.folder = video, frames, folder
        self.written = 0

    def write(self, frame: int, mask: Mask) -> None:
        """Take the next frame's mask."""
        shown = overlay(next(self._frames), mask)
        self._video.write(np.ascontiguousarray(shown[..., ::-1]))
        self.written += 1


def frames_of(file: Path) -> int:
    """How many frames of a video can be decoded."""
    video = cv2.VideoCapture(str(file))
    count = 0
    while video.read()[0]:
        count += 1
    video.release()
    return count


@contextmanager
def open_writer(file: Path, content: Content) -> Iterator[OverlayWriter]:
    """Open an MP4 to write overlays to; it appears under its name when it is whole.

    Args:
        file: where to write, a name that ends in .mp4.
        content: what the masks are of.

    Raises:
        OutputError: OpenCV cannot write there.
    """
    height, width = content.size
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    try:
        with replacing(file, ".mp4") as tmp:
            # As bytes: a name that is no text in this locale would crash OpenCV, were it a str.
            name: Any = os.fsencode(tmp)
            video = cv2.VideoWriter(name, codec, content.fps, (width, height))
            try:
                if file.is_dir() or not video.isOpened():
                    raise OutputError(
                        f"{file}: OpenCV cannot write a video there; give a path to an .mp4"
                    )
                writer = OverlayWriter(video, content.frames, tmp.parent)
                yield writer
            finally:
                video.release()
            if (whole := frames_of(tmp)) != writer.written:
                raise OutputError(
                    f"{file}: the video came out with {whole} of {writer.written} frames; is the "
                    "disk full? free room there, or name another"
                )
            mark_video(tmp)
    except OSError as problem:
        raise unwritable(file, problem) from problem
