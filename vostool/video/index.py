"""Which frames a video has, without decoding it.

Headers overstate: a variable-rate MKV, an MP4 that was cut and not coded anew, a transport stream
speak of more frames than they have. Each packet, though, is a frame and bears the time at which it
is shown; so frames are numbered by the times of all packets. The first few are decoded to see that
it is so. Where it is not (H.264 in AVI, streams without times), frames are counted by decoding them
all, once.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from statistics import median

from av.video.frame import VideoFrame

from vostool.errors import ClipError
from vostool.video.colour import looks, upright_size
from vostool.video.container import Trouble
from vostool.video.listing import Keyframe, Listing, list_packets
from vostool.video.seeking import decode_from

HEAD = 8
"""Frames that are decoded to see whether packets tell of them truly."""
DEFAULT_RATE = Fraction(24)


@dataclass(frozen=True)
class VideoIndex:
    """A video's frames.

    Attributes:
        path: the file.
        ticks: when each frame is shown, in order, in units of ``time_base``.
        time_base: a tick, in seconds.
        keyframes: at which decoding can begin, in order; empty where frames are counted from the
            first, for packets do not tell of them.
        cut_off: the file ends before the video does.
        size: (H, W) as shown.
        fps: frames a second, on average.
        digest: hex; of the coded pictures, and of what decides how they look.
    """

    path: Path
    ticks: tuple[int, ...]
    time_base: Fraction
    keyframes: tuple[Keyframe, ...]
    cut_off: bool
    size: tuple[int, int]
    fps: float
    digest: str

    def keyframe_before(self, frame: int) -> Keyframe:
        """The last one at which decoding can begin to get a frame."""
        found = bisect_right(self.keyframes, self.ticks[frame], key=lambda key: key.tick)
        return self.keyframes[max(0, found - 1)]


def index_video(path: Path) -> VideoIndex:
    """List a video's frames: reads the file, and decodes its first few frames.

    Raises:
        ClipError: it is no video, or not one frame of it can be decoded.
    """
    listing = list_packets(path)
    begin = listing.keyframes[0] if listing.keyframes else None
    head = list(islice(decode_from(path, begin, threads=False), HEAD))
    first = next((frame for frame in head if isinstance(frame, VideoFrame)), None)
    if first is None:
        raise ClipError(f"{path}: not one frame can be decoded; is it a whole video?")
    ticks, keyframes, cut_off = _borne_out(listing, head), listing.keyframes, not listing.whole
    if ticks is None:
        time_base, keyframes = 1 / (listing.rate or DEFAULT_RATE), []
        frames, broken = _count(path)
        ticks, cut_off = list(range(frames)), listing.whole is False or broken
    else:
        time_base = listing.time_base
        if not listing.whole:  # it breaks off, or nobody knows
            good = _without_broken_end(path, _without_gaps(ticks, listing), keyframes)
            ticks, cut_off = good, listing.whole is False or len(good) < len(ticks)
    digest = hashlib.blake2b(listing.digest + looks(first), digest_size=20)
    digest.update(str(len(ticks)).encode())
    return VideoIndex(
        path, tuple(ticks), time_base, tuple(keyframes), cut_off, upright_size(first),
        _rate(ticks, time_base, listing.rate), digest.hexdigest(),
    )  # fmt: skip


def _borne_out(listing: Listing, head: list[VideoFrame | Trouble]) -> list[int] | None:
    """The ticks of all frames, if the first that were decoded are the first of them; else None.

    What comes before the first frame that decodes cannot be shown: it builds on what was cut away.
    """
    ticks = listing.ticks
    decoded = [item.pts for item in head if isinstance(item, VideoFrame)]
    if ticks is None or decoded[0] not in ticks:
        return None
    if isinstance(head[0], VideoFrame):
        ticks = ticks[ticks.index(decoded[0]) :]
    if len(decoded) < len(head):  # there are damaged ones among them
        return ticks if set(decoded) <= set(ticks) else None
    return ticks if decoded == ticks[: len(decoded)] else None


def _count(path: Path) -> tuple[int, bool]:
    """How many frames there are, by decoding them all; and whether damage ends them.

    It does where no keyframe comes after it.
    """
    frames, end = 0, None
    for item in decode_from(path, None, threads=False):
        if isinstance(item, Trouble) or item.is_corrupt:
            end = frames if end is None else end
        elif item.key_frame:
            end = None
        frames += 1
    return (frames, False) if end is None else (end, True)


def _without_gaps(ticks: list[int], listing: Listing) -> list[int]:
    """The ticks up to where, at the end, frames can be missing between those that are there.

    Packets come in the order of decoding: at a cut, a frame can be there and one that is shown
    before it not. None is missing up to the time at which the last is decoded; after that, some may
    be: a gap tells of it, where there are true times.
    """
    usual = median(later - tick for tick, later in pairwise(ticks)) if len(ticks) > 1 else 0
    for number in range(len(ticks) - 1, 0, -1):
        if listing.last_dts is None or ticks[number] <= listing.last_dts:
            break
        if not listing.timed or ticks[number] - ticks[number - 1] > 1.5 * usual:
            ticks = ticks[:number]
    return ticks


def _without_broken_end(path: Path, ticks: list[int], keyframes: list[Keyframe]) -> list[int]:
    """The ticks up to that of the last frame that decodes well, and all before it since the last
    keyframe."""
    for key in reversed(keyframes):
        good = first = bisect_left(ticks, key.tick)
        for item in decode_from(path, key, threads=False):
            early = item.tick if isinstance(item, Trouble) else item.pts
            if early is not None and early < key.tick:
                continue
            if (
                isinstance(item, Trouble)
                or item.is_corrupt
                or item.pts not in ticks[good : good + 1]
            ):
                break
            good += 1
        if good > first:
            return ticks[:good]
    return ticks


def _rate(ticks: list[int], time_base: Fraction, told: Fraction | None) -> float:
    """Frames a second: as the head tells, if it is about right, or else by the frames' times."""
    if len(ticks) < 2:
        return float(told or DEFAULT_RATE)
    measured = (len(ticks) - 1) / ((ticks[-1] - ticks[0]) * time_base)
    right = told is not None and abs(told / measured - 1) < 0.01
    return float(told if told is not None and right else measured)
