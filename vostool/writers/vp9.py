"""A video in VP9 with alpha, as browsers show it: the frames, transparent where no object is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from av.video.frame import VideoFrame

from vostool.images import Alpha, Frame
from vostool.writers import Content
from vostool.writers.cutout import cut_out
from vostool.writers.video import Coding, VideoWriter, open_video, with_bt709

CODING = Coding(
    "webm", "libvpx-vp9", "yuva420p",
    options={"crf": "15", "b": "0", "auto-alt-ref": "0", "cpu-used": "4", "row-mt": "1"},
)  # fmt: skip
"""At which the eye sees no loss."""


def open_writer(file: Path, content: Content) -> AbstractContextManager[VideoWriter]:
    """Open a WebM to write to; it appears under its name when it is whole.

    Raises:
        OutputError: no video can be written there.
    """
    return open_video(file, CODING, _draw, content)


def _draw(frame: Frame, alpha: Alpha) -> VideoFrame:
    return with_bt709(cut_out(frame, alpha), CODING.pixels)
