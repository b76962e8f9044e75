"""Clips of every kind that people bring, made here by PyAV; each frame bears its number.

The number stands in the pixels: ten blocks, white for one and black for nought, that survive any
codec; between them the colour changes from frame to frame.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vostool.images import Frame

os.environ["SVT_LOG"] = "1"  # or else the encoder of AV1 tells of itself
BITS = 10
SIZE = (64, 96)
RATE = 25
MILLISECOND = Fraction(1, 1000)


def numbered(number: int, size: tuple[int, int] = SIZE) -> Frame:
    """A picture (H, W, 3) that bears a number; at least 53 x 91."""
    picture = np.empty((*size, 3), np.uint8)
    picture[:] = (40 + (number * 37) % 150, 90, 60 + (number * 53) % 120)
    for bit in range(BITS):
        y, x = divmod(bit, 5)
        white = number >> bit & 1
        picture[4 + 24 * y : 24 + 24 * y, 4 + 18 * x : 18 + 18 * x] = 255 * white
    return picture


def number_of(picture: Frame) -> int:
    """The number that a picture bears, (H, W, 3) upright."""
    number = 0
    for bit in range(BITS):
        y, x = divmod(bit, 5)
        block = picture[8 + 24 * y : 20 + 24 * y, 8 + 18 * x : 14 + 18 * x]
        number |= int(block.mean() > 127) << bit
    return number


@dataclass(frozen=True)
class Kind:
    """How a clip is coded.

    Attributes:
        name: of the file.
        codec: FFmpeg's encoder.
        pixels: FFmpeg's format of pixels.
        options: of the encoder.
        container: options of the container.
        frames: how many there are.
        size: (H, W).
        times: when each frame is shown, in milliseconds; None for 25 a second.
        sound: whether there is some.
        rotation: by which a viewer is to turn it, in degrees.
        made_of: the kind that it is made of, and how, without coding it anew.
    """

    name: str
    codec: str = "libx264"
    pixels: str = "yuv420p"
    options: dict[str, str] = field(default_factory=lambda: {"g": "12", "bf": "3"})
    container: dict[str, str] = field(default_factory=dict)
    frames: int = 60
    size: tuple[int, int] = SIZE
    times: tuple[int, ...] | None = None
    sound: bool = False
    rotation: int = 0
    made_of: tuple[str, Callable[[Path, Path], None]] | None = None


def write_clip(file: Path, kind: Kind, pictures: Sequence[Frame] | None = None) -> Path:
    """Write a clip.

    Args:
        file: where to.
        kind: how.
        pictures: upright; numbered ones by default.
    """
    shown = pictures or [numbered(number, kind.size) for number in range(kind.frames)]
    with av.open(file, "w", options=kind.container) as container:
        stream = container.add_stream(kind.codec, rate=RATE, options=kind.options)
        assert isinstance(stream, VideoStream)
        sound = container.add_stream("aac", rate=44100) if kind.sound else None
        turns = kind.rotation // 90
        lying = [np.ascontiguousarray(np.rot90(picture, -turns)) for picture in shown]
        stream.height, stream.width = lying[0].shape[:2]
        stream.pix_fmt = kind.pixels
        if kind.rotation:
            stream.set_display_rotation(kind.rotation)
        if kind.times:
            stream.codec_context.time_base = MILLISECOND
        for number, picture in enumerate(lying):
            frame = VideoFrame.from_ndarray(picture)
            frame.pts = kind.times[number] if kind.times else number
            frame.time_base = MILLISECOND if kind.times else Fraction(1, RATE)
            container.mux(stream.encode(frame))
            if isinstance(sound, AudioStream):
                container.mux(sound.encode(_hum(number)))
        container.mux(stream.encode())
        if isinstance(sound, AudioStream):
            container.mux(sound.encode())
    return file


def _hum(number: int) -> AudioFrame:
    samples = 44100 // RATE
    wave = np.sin(np.arange(samples) / 20)[None] * 9000
    frame = AudioFrame.from_ndarray(wave.astype(np.int16), format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 44100, number * samples, Fraction(1, 44100)
    return frame


def remux(source: Path, target: Path, begin: float | None = None) -> None:
    """Copy a clip into another container without coding it anew, as ``-c copy`` does.

    Args:
        source: the clip.
        target: where to; its suffix names the container.
        begin: the time from which on it is to be shown, in seconds, as ``-ss`` gives it: what lies
            between the keyframe before and there is copied, and an edit list passes over it.
    """
    with av.open(source) as old, av.open(target, "w") as new:
        stream = old.streams.video[0]
        copied = new.add_stream_from_template(stream)
        if begin is not None:
            assert stream.time_base is not None
            old.seek(int(begin / stream.time_base), stream=stream)
        for packet in old.demux(stream):
            if packet.size:
                if begin is not None:
                    _earlier(packet, round(begin / packet.time_base))
                packet.stream = copied
                new.mux(packet)


def _earlier(packet: Packet[VideoStream], ticks: int) -> None:
    packet.pts = None if packet.pts is None else packet.pts - ticks
    packet.dts = None if packet.dts is None else packet.dts - ticks


def trim(source: Path, target: Path) -> None:
    """Cut a clip at a frame that is no keyframe, and code nothing anew."""
    remux(source, target, begin=TRIMMED / RATE)


def join(source: Path, target: Path) -> None:
    """Drop the beginning of a transport stream, as one who joins a broadcast misses it."""
    content = source.read_bytes()
    target.write_bytes(content[188 * (len(content) // 188 // 8) :])


TRIMMED = 20
"""Where :func:`trim` cuts."""
OPEN = {"x264-params": "open-gop=1:keyint=12:bframes=3"}
QUIET = "log-level=none:keyint=12:bframes=3"
UNEVEN = tuple(40 * number + 5 * (number % 7) + 400 * (number > 30) for number in range(60))

KINDS = (
    Kind("plain.mp4"),
    Kind("plain.mkv"),
    Kind("uneven.mkv", times=UNEVEN),
    Kind("uneven.mp4", times=UNEVEN),
    Kind("transport.ts"),
    Kind("open.ts", options=OPEN),
    Kind("open.mp4", options=OPEN),
    Kind("refreshed.mp4", options={"x264-params": "intra-refresh=1:keyint=20"}),
    Kind("fragments.mp4", container={"movflags": "frag_keyframe+empty_moov"}),
    Kind("sound.mp4", sound=True),
    Kind("sound.mkv", sound=True),
    Kind("phone.mp4", rotation=90, size=(96, 128)),
    Kind("phone.mov", rotation=-90, size=(96, 128)),
    Kind("upside.mp4", rotation=180),
    Kind("ten-bits.mp4", pixels="yuv420p10le"),
    Kind("twelve-bits.mkv", "libx265", "yuv420p12le", {"x265-params": QUIET}),
    Kind("hevc.mp4", "libx265", options={"x265-params": QUIET}),
    Kind("hevc.ts", "libx265", options={"x265-params": f"open-gop=1:{QUIET}"}),
    Kind("odd.mkv", "ffv1", "yuv444p", {}, size=(67, 101)),
    Kind("odd.mp4", "libx264", "yuv444p", size=(67, 101)),
    Kind("one.mp4", frames=1),
    Kind("one.gif", "gif", "rgb8", {}, frames=1),
    Kind("interlaced.ts", options={"flags": "+ildct+ilme", "g": "12", "x264-params": "tff=1"}),
    Kind("dvd.mpg", "mpeg2video", options={"g": "12", "bf": "2"}),
    Kind("old.avi", "mpeg4", options={"g": "12", "bf": "2"}),
    Kind("h264.avi"),
    Kind("pictures.avi", "mjpeg", "yuvj420p", {}),
    Kind("flash.flv"),
    Kind("stream.h264"),
    Kind("browser.webm", "libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16"}),
    Kind("vp9.webm", "libvpx-vp9", options={"g": "20", "lag-in-frames": "16"}),
    Kind("av1.mp4", "libsvtav1", options={"g": "20", "preset": "12"}),
    Kind("edit.mov", "prores_ks", "yuv422p10le", {}),
    Kind("loop.gif", "gif", "rgb8", {}),
    Kind("loop.apng", "apng", "rgb24", {}),
    Kind("trimmed.mp4", made_of=("plain.mp4", trim), frames=60 - TRIMMED),
    Kind("broadcast.ts", made_of=("open.ts", join)),
)


def make(folder: Path) -> None:
    """Write all kinds of clips into a folder."""
    for kind in KINDS:
        if kind.made_of is None:
            write_clip(folder / kind.name, kind)
        else:
            source, how = kind.made_of
            how(folder / source, folder / kind.name)
