"""A video file as FFmpeg opens it: its stream of pictures, its packets, what they decode to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.error import EOFError as DrainedError
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vostool.errors import ClipError

PROTOCOL = "file:"
"""Stands before a path, for a name like ``concat:a`` would be taken for a protocol itself."""
NO_VIDEOS = frozenset({"concat", "dash", "hls", "tty"})
"""Formats of FFmpeg's that lead to other files, or are text."""
SILENT = frozenset({"hevc", "mjpeg"})
"""Codecs whose decoders conceal damage unless they are told to stop; the others mark the frame."""


@dataclass(frozen=True)
class Trouble:
    """In a frame's place, what a decoder raised.

    Attributes:
        tick: when the packet that it was given is shown, where that is known.
        reason: in FFmpeg's words.
    """

    tick: int | None
    reason: str


@contextmanager
def opened(path: Path, threads: bool = True) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video file and find its stream of pictures.

    Args:
        path: the file.
        threads: decode several frames at a time; an error is then raised some packets late.

    Raises:
        ClipError: there is no such file, or no video in it.
    """
    try:
        container = av.open(f"{PROTOCOL}{path}", "r", metadata_errors="replace")
    except (FFmpegError, OSError, ValueError) as problem:
        raise ClipError(
            f"{path}: FFmpeg cannot open this video ({reason(problem)}); is it whole, and a video "
            "at all?"
        ) from problem
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream) or container.format.name in NO_VIDEOS:
            raise ClipError(f"{path}: there is no video in it; give a video file or a folder")
        stream.thread_type = "AUTO" if threads else "NONE"
        if threads or codec_of(stream) in SILENT:
            stream.codec_context.options = {"err_detect": "explode"}
        if codec_of(stream) == "av1" and not threads:  # its threads are its library's own
            stream.codec_context.options = {"max_frame_delay": "1"}
        yield container, stream


def codec_of(stream: VideoStream) -> str:
    """The codec's name, whichever library decodes it."""
    return stream.codec_context.codec.canonical_name


def packets_of(container: InputContainer, *streams: Stream) -> Iterator[Packet[Stream]]:
    """Packets from where the container is, in the file's order, to the last that is there.

    Args:
        container: the file.
        streams: whose; of all where none is named.

    Raises:
        ClipError: the file cannot be read.
    """
    try:
        yield from (packet for packet in container.demux(*streams) if packet.size)
    except InvalidDataError:
        return
    except FFmpegError as problem:
        path = container.name.removeprefix(PROTOCOL)
        raise ClipError(f"{path}: cannot be read ({reason(problem)})") from problem


def decode(
    stream: VideoStream, packets: Iterable[Packet[Stream]]
) -> Iterator[VideoFrame | Trouble]:
    """What packets decode to, in order of presentation; trouble does not end it."""
    for packet in packets:
        try:
            yield from stream.decode(packet)
        except FFmpegError as problem:
            yield Trouble(packet.pts, reason(problem))
    drained = False
    while not drained:
        try:
            yield from stream.decode(None)
            drained = True
        except DrainedError:
            drained = True
        except FFmpegError as problem:
            yield Trouble(None, reason(problem))


def reason(problem: Exception) -> str:
    """What went wrong, in a few words."""
    return getattr(problem, "strerror", None) or str(problem)
