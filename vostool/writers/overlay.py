"""A video to look at: the objects' colours over the frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.codec.context import Flags
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame

from vostool.errors import ClipError, OutputError
from vostool.files import replacing, unwritable
from vostool.images import Mask
from vostool.masks import overlay
from vostool.outputs import mark_video
from vostool.video import index_video
from vostool.writers import Content

TIME_BASE = Fraction(1, 60000)
"""A tick: fine enough for all frame rates, and the codec takes no finer one."""
QUALITY = 3 * 118
"""Of MPEG-4, from 1 · 118, the best, to 31 · 118: at 3 the eye sees no loss."""


class OverlayWriter:
    """A :class:`vostool.writers.MaskWriter`: a frame of video a mask.

    Args:
        video: where it is written, with no stream in it yet.
        content: what the masks are of.
        folder: where it is being made.
    """

    def __init__(self, video: OutputContainer, content: Content, folder: Path) -> None:
        self._video, self._content, self.folder = video, content, folder
        self._stream = video.add_stream("mpeg4")
        self._stream.height, self._stream.width = content.size
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = TIME_BASE
        self._stream.codec_context.flags |= Flags.qscale
        self._stream.codec_context.global_quality = QUALITY
        self.written = 0

    def write(self, frame: int, mask: Mask) -> None:
        """Take the next frame's mask."""
        shown = VideoFrame.from_ndarray(overlay(next(self._content.frames), mask))
        shown.time_base = TIME_BASE
        shown.pts = round(self._content.time(frame) / TIME_BASE)
        shown.duration = round(1 / (self._content.fps * TIME_BASE))
        self._video.mux(self._stream.encode(shown))
        self.written += 1

    def finish(self) -> None:
        """Write what is still to come."""
        self._video.mux(self._stream.encode())
        self._video.close()


def frames_of(file: Path) -> int:
    """How many frames a video has; none where it cannot be read."""
    try:
        return len(index_video(file).ticks)
    except ClipError:
        return 0


@contextmanager
def open_writer(file: Path, content: Content) -> Iterator[OverlayWriter]:
    """Open an MP4 to write overlays to; it appears under its name when it is whole.

    Args:
        file: where to write, a name that ends in .mp4.
        content: what the masks are of.

    Raises:
        OutputError: no video can be written there.
    """
    if file.is_dir():
        raise OutputError(f"{file}: is a folder; give a path to an .mp4")
    try:
        with replacing(file, ".mp4") as tmp:
            with av.open(f"file:{tmp}", "w", format="mp4") as video:
                writer = OverlayWriter(video, content, tmp.parent)
                yield writer
                writer.finish()
            if (whole := frames_of(tmp)) != writer.written:
                raise OutputError(
                    f"{file}: the video came out with {whole} of {writer.written} frames; is the "
                    "disk full? free room there, or name another"
                )
            mark_video(tmp)
    except (FFmpegError, OSError) as problem:
        raise unwritable(file, problem) from problem
