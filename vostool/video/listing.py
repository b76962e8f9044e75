"""What a video's packets tell, without decoding them: times, keyframes, a hash of the pictures."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from vostool.video.container import codec_of, opened, packets_of

PICTURES_ALONE = {
    "h264": "h264_mp4toannexb,filter_units=pass_types=1-5",
    "hevc": "hevc_mp4toannexb,filter_units=pass_types=0-31",
}
"""FFmpeg's filters that leave coded pictures alone, and those in one form: what stands beside them,
and how they are framed, differs between containers."""
FALSE_KEYFRAMES = frozenset({"apng"})
"""Codecs of which FFmpeg calls each packet a keyframe, though most build on the one before."""
GIF_TRAILER = b";"
EARLY = 0.5
"""Seconds before the end that the file's head tells of at which what is whole may end: the last
packet's length is often not told, and clocks of sound and picture differ."""


@dataclass(frozen=True)
class Keyframe:
    """A packet at which decoding can begin.

    Attributes:
        tick: when its frame is shown.
        dts: when it is decoded, where that is known.
        size: in bytes.
    """

    tick: int
    dts: int | None
    size: int


@dataclass
class Listing:
    """What the packets of a video tell.

    Attributes:
        time_base: a tick, in seconds.
        rate: frames a second, by the file's head; None where it does not tell.
        ticks: when each frame is shown, in order; None where packets do not tell.
        keyframes: in order; the first packet's alone where no other can be trusted.
        digest: of the coded pictures.
        whole: whether the file goes to its end, as its head tells of it; None where that says
            nothing.
        last_dts: when the last packet is decoded, where that is known.
        timed: the container tells when frames are shown; AVI tells their order in decoding, of
            which FFmpeg makes times.
    """

    time_base: Fraction
    rate: Fraction | None
    ticks: list[int] | None
    keyframes: list[Keyframe] = field(default_factory=list)
    digest: bytes = b""
    whole: bool | None = None
    last_dts: int | None = None
    timed: bool = True


def list_packets(path: Path) -> Listing:
    """Go through a video's packets; reads the file as a whole.

    Raises:
        ClipError: it is no video.
    """
    with opened(path) as (container, stream):
        pictures = _Pictures(stream)
        shown: list[int | None] = []
        keyframes: list[Keyframe] = []
        packets, broken, dts, end = 0, False, None, Fraction(0)
        for packet in packets_of(container):
            if packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
            if packet.stream_index != stream.index:
                continue
            packets, broken, dts = packets + 1, packet.is_corrupt, packet.dts
            if packet.is_keyframe and packet.pts is not None:
                keyframes.append(Keyframe(packet.pts, packet.dts, packet.size))
            if keyframes and not packet.is_discard and not _is_hidden(packet, stream):
                shown.append(packet.pts)
            pictures.take(packet)  # and empty it
        whole = False if broken else _is_whole(container, stream, path, packets, float(end))
        if codec_of(stream) == "gif" and not whole:
            shown.pop()  # its decoder says nothing of a picture that is cut short
        ticks = sorted(tick for tick in shown if tick is not None)
        if len(set(ticks)) < len(shown):
            ticks = []
        if codec_of(stream) in FALSE_KEYFRAMES:
            keyframes = keyframes[:1]
        return Listing(
            stream.time_base or Fraction(1), stream.average_rate, ticks or None,
            sorted(keyframes, key=lambda key: key.tick), pictures.digest(),
            whole, dts, container.format.name != "avi",
        )  # fmt: skip


def _is_hidden(packet: Packet[Stream], stream: VideoStream) -> bool:
    """Whether a packet is no frame: VP8 has some that others build on, and that are not shown."""
    return codec_of(stream) == "vp8" and not memoryview(packet)[0] >> 4 & 1


def _is_whole(
    container: InputContainer, stream: VideoStream, path: Path, packets: int, end: float
) -> bool | None:
    """Whether all is there that a file's head tells of; None where it tells nothing."""
    name = container.format.name
    if name == "avi":
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8)[4:], "little")
        return path.stat().st_size >= size
    if name == "gif":
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == GIF_TRAILER
    if name.startswith("mov"):
        return packets >= sum(entry.size > 0 for entry in stream.index_entries)
    if name in ("matroska,webm", "flv") and container.duration:
        return end > container.duration / 1e6 - EARLY
    return None


class _Pictures:
    """Hashes a stream's coded pictures, so that it is the same in each container.

    Args:
        stream: whose packets they are.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._hash = hashlib.blake2b(codec_of(stream).encode(), digest_size=20)
        filters = PICTURES_ALONE.get(codec_of(stream))
        self._filter = BitStreamFilterContext(filters, stream) if filters else None

    def take(self, packet: Packet[Stream]) -> None:
        """Take the next packet in; where no filter can read it, as it is."""
        if self._filter is None:
            self._hash.update(packet)
            return
        raw = bytes(packet)  # filtering empties it
        try:
            for part in self._filter.filter(packet):
                self._hash.update(part)
        except FFmpegError:
            self._hash.update(raw)
            self._filter.flush()

    def digest(self) -> bytes:
        """Of all."""
        return self._hash.digest()
