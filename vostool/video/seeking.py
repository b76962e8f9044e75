"""Decoding from a keyframe on, and making sure that it is this keyframe.

Seeking lands before the place in many containers, and past it in some. A packet is known by when it
is shown and by its size; where seeking does not lead to it, going through the packets from the
file's beginning does, without decoding them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import dropwhile
from pathlib import Path
from typing import TypeAlias

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vostool.video.container import Trouble, decode, opened, packets_of
from vostool.video.listing import Keyframe

Packets: TypeAlias = "Iterator[Packet[Stream]]"


def decode_from(
    path: Path, key: Keyframe | None, *, threads: bool = True
) -> Iterator[VideoFrame | Trouble]:
    """What a video decodes to from a keyframe on.

    Args:
        path: the file.
        key: the keyframe; None for the file's beginning.
        threads: decode several frames at a time; trouble is then told of some packets late.
    """
    if key is None:
        with opened(path, threads) as (container, stream):
            decoded = decode(stream, packets_of(container, stream))
            # A recording that begins anywhere cannot be decoded up to its first keyframe.
            yield from dropwhile(lambda item: isinstance(item, Trouble), decoded)
        return
    with opened(path, threads) as (container, stream):
        if packets := _sought(container, stream, key):
            yield from decode(stream, packets)
            return
    with opened(path, threads) as (container, stream):
        yield from decode(stream, _scanned(packets_of(container, stream), key))


def _sought(container: InputContainer, stream: VideoStream, key: Keyframe) -> Packets | None:
    """The packets from a keyframe on, by seeking; None where that leads past it."""
    # By its dts, where that is known, for there is what containers' own indices tell.
    with suppress(FFmpegError):
        container.seek(key.tick if key.dts is None else key.dts, stream=stream)
        packets = packets_of(container, stream)
        for packet in packets:
            if _is(packet, key):
                return _with(packet, packets)
            if packet.is_keyframe and packet.pts is not None and packet.pts > key.tick:
                break
    return None


def _scanned(packets: Packets, key: Keyframe) -> Packets:
    """The packets from a keyframe on, out of all."""
    for packet in packets:
        if _is(packet, key):
            yield packet
            break
    yield from packets


def _with(first: Packet[Stream], rest: Packets) -> Packets:
    yield first
    yield from rest


def _is(packet: Packet[Stream], key: Keyframe) -> bool:
    return packet.is_keyframe and (packet.pts, packet.size) == (key.tick, key.size)
