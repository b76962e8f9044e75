"""Masks as a video: what those formats share that are one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.codec.context import Flags
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from vostool.errors import ClipError, OutputError
from vostool.files import replacing, unwritable
from vostool.images import Frame
from vostool.outputs import mark_video
from vostool.video import index_video
from vostool.writers import Content

TIME_BASE = Fraction(1, 60000)
"""A tick: fine enough for all frame rates, and MPEG-4 takes no finer one."""

BT709, TV_RANGE = 1, 1
"""FFmpeg's numbers of a colour space, and of the range of its values."""

Draw = Callable[[Frame, npt.NDArray[np.uint8]], VideoFrame]
"""Makes a frame of the video of the clip's (H, W, 3) and its mask or alpha (H, W)."""


@dataclass(frozen=True)
class Coding:
    """How a video is coded.

    Attributes:
        container: FFmpeg's name of it.
        codec: FFmpeg's name of it.
        pixels: FFmpeg's format of them.
        quality: of codecs that take a quantiser for it; None for others.
        options: of the codec.
    """

    container: str
    codec: str
    pixels: str
    quality: int | None = None
    options: dict[str, str] = field(default_factory=dict)


class VideoWriter:
    """A :class:`vostool.writers.MaskWriter`: a frame of video a mask.

    Args:
        video: where it is written, with no stream in it yet.
        coding: how.
        draw: makes its frames.
        content: what the masks are of.
        folder: where it is being made.
    """

    def __init__(
        self, video: OutputContainer, coding: Coding, draw: Draw, content: Content, folder: Path
    ) -> None:
        self._video, self._content, self._draw, self.folder = video, content, draw, folder
        stream = video.add_stream(coding.codec, options=coding.options)
        assert isinstance(stream, VideoStream)
        stream.pix_fmt = coding.pixels
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        if coding.quality is not None:
            stream.codec_context.flags |= Flags.qscale
            stream.codec_context.global_quality = coding.quality
        self._stream = stream
        self.written = 0

    def write(self, frame: int, mask: npt.NDArray[np.uint8]) -> None:
        """Take the next frame's mask."""
        shown = self._draw(next(self._content.frames), mask)
        if not self.written:
            self._begin(shown)
        shown.time_base = TIME_BASE
        shown.pts = round(self._content.time(frame) / TIME_BASE)
        shown.duration = round(1 / (self._content.fps * TIME_BASE))
        self._video.mux(self._stream.encode(shown))
        self.written += 1

    def _begin(self, first: VideoFrame) -> None:
        """Tell the codec of what the frames are like: VP9's takes no heed of their own tags."""
        self._stream.height, self._stream.width = first.height, first.width
        if not first.format.is_rgb:
            coder = self._stream.codec_context
            coder.colorspace, coder.color_range = first.colorspace, first.color_range
            coder.color_primaries, coder.color_trc = first.color_primaries, first.color_trc

    def finish(self) -> None:
        """Write what is still to come."""
        self._video.mux(self._stream.encode())
        self._video.close()


def with_bt709(picture: npt.NDArray[np.uint8], pixels: str) -> VideoFrame:
    """A picture (H, W, 4), RGBA, as YUV by the matrix of BT.709, and tagged so.

    Args:
        picture: RGB and alpha.
        pixels: FFmpeg's format of the frame's.
    """
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgba")
    shown = frame.reformat(
        format=pixels, dst_colorspace=Colorspace.ITU709, dst_color_range=TV_RANGE
    )
    shown.colorspace = shown.color_primaries = shown.color_trc = BT709
    return shown


@contextmanager
def open_video(file: Path, coding: Coding, draw: Draw, content: Content) -> Iterator[VideoWriter]:
    """Open a video to write to; it appears under its name when it is whole.

    Args:
        file: where to write.
        coding: how.
        draw: makes its frames.
        content: what the masks are of.

    Raises:
        OutputError: no video can be written there.
    """
    if file.is_dir():
        raise OutputError(f"{file}: is a folder; give a path to a .{coding.container}")
    try:
        with replacing(file, f".{coding.container}") as tmp:
            with av.open(f"file:{tmp}", "w", format=coding.container) as video:
                writer = VideoWriter(video, coding, draw, content, tmp.parent)
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


def frames_of(file: Path) -> int:
    """How many frames a video has; none where it cannot be read."""
    try:
        return len(index_video(file).ticks)
    except ClipError:
        return 0
