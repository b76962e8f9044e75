"""A video of PNGs in MOV, without loss: the frames, transparent where no object is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from av.video.frame import VideoFrame

from vostool.images import Alpha, Frame
from vostool.writers import Content
from vostool.writers.cutout import cut_out
from vostool.writers.video import Coding, VideoWriter, open_video

CODING = Coding("mov", "png", "rgba", options={"compression_level": "1"})


def open_writer(file: Path, content: Content) -> AbstractContextManager[VideoWriter]:
    """Open a MOV to write to; it appears under its name when it is whole.

    Raises:
        OutputError: no video can be written there.
    """
    return open_video(file, CODING, _draw, content)


def _draw(frame: Frame, alpha: Alpha) -> VideoFrame:
    return VideoFrame.from_ndarray(cut_out(frame, alpha), format="rgba")
