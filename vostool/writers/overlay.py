"""A video to look at: the objects' colours over the frames."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from av.video.frame import VideoFrame

from vostool.images import Frame, Mask
from vostool.masks import overlay
from vostool.writers import Content
from vostool.writers.video import Coding, VideoWriter, open_video

CODING = Coding("mp4", "mpeg4", "yuv420p", quality=3 * 118)
"""Of MPEG-4's qualities, from 1 · 118, the best, to 31 · 118, one at which the eye sees no loss."""


def open_writer(file: Path, content: Content) -> AbstractContextManager[VideoWriter]:
    """Open an MP4 to write overlays to; it appears under its name when it is whole.

    Raises:
        OutputError: no video can be written there.
    """
    return open_video(file, CODING, _draw, content)


def _draw(frame: Frame, mask: Mask) -> VideoFrame:
    return VideoFrame.from_ndarray(overlay(frame, mask))
