"""A video's frames from any one on, each of them the one that its number says."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

from av.video.frame import VideoFrame

from vostool.errors import ClipError
from vostool.images import Frame
from vostool.video.colour import Viewer
from vostool.video.container import Trouble
from vostool.video.deinterlacing import NEIGHBOURS, deinterlaced
from vostool.video.index import VideoIndex
from vostool.video.listing import Keyframe
from vostool.video.seeking import decode_from

DAMAGED = "its data are damaged"
NO_KEYFRAME = "the one before, on which it builds, is no keyframe"
LEFT_OUT = "the decoder gives no picture"


class _AstrayError(Exception):
    """What came is not the frame that was due.

    Args:
        frame: which one could not be had.
        reason: why.
    """

    def __init__(self, frame: int, reason: str) -> None:
        super().__init__(frame, reason)
        self.frame, self.reason = frame, reason


def read_frames(
    index: VideoIndex, start: int, stop: int, *, deinterlace: bool = False
) -> Iterator[Frame]:
    """Decode the frames start..stop-1, (H, W, 3) uint8 RGB, as a viewer shows them.

    Args:
        index: of the video.
        start: the first frame.
        stop: the one to stop before.
        deinterlace: make the lines anew that were recorded later.

    Raises:
        ClipError: a frame is damaged.
    """
    viewer = Viewer()
    if not deinterlace:
        yield from map(viewer.show, _decoded(index, start, stop))
        return
    first, last = max(0, start - NEIGHBOURS), min(len(index.ticks), stop + NEIGHBOURS)
    frames = deinterlaced(_decoded(index, first, last))
    yield from map(viewer.show, islice(frames, start - first, stop - first))


def _decoded(index: VideoIndex, start: int, stop: int) -> Iterator[VideoFrame]:
    """The frames start..stop-1 as they are coded.

    Decoding begins at the keyframe before. Should another frame come than the one that is due, or
    one be damaged, it begins again in one thread, which tells exactly where the trouble is, and
    then at the first keyframe, where nothing can be missing that a frame builds on.

    Raises:
        ClipError: a frame is damaged.
    """
    number = start
    begin = index.keyframe_before(start) if index.keyframes and start < stop else None
    first = index.keyframes[0] if index.keyframes else None
    for key, threads in dict.fromkeys([(begin, True), (begin, False), (first, False)]):
        try:
            decoded = decode_from(index.path, key, threads=threads)
            for frame in _due(index, decoded, key, number, stop):
                yield frame
                number += 1
            return
        except _AstrayError as problem:
            astray = problem
    part = f", or take what comes before with --frames :{number}" if number else ""
    raise ClipError(
        f"{index.path}: frame {astray.frame} does not decode ({astray.reason}); "
        f"repair the video{part}"
    )


def _due(
    index: VideoIndex,
    decoded: Iterator[VideoFrame | Trouble],
    begin: Keyframe | None,
    start: int,
    stop: int,
) -> Iterator[VideoFrame]:
    """The frames start..stop-1 of what is decoded from a keyframe on.

    Raises:
        _AstrayError: another came in one's place; or one is damaged, be it before the start, for
            later ones build on it.
    """
    number, count = start, 0
    for item in decoded:
        tick = count if begin is None else item.pts if isinstance(item, VideoFrame) else item.tick
        count += 1
        if tick is not None and begin is not None and tick < begin.tick:
            continue  # it builds on what was not decoded
        if isinstance(item, Trouble) or item.is_corrupt:
            where = number if tick is None else bisect_left(index.ticks, tick)
            raise _AstrayError(where, item.reason if isinstance(item, Trouble) else DAMAGED)
        at_key = begin is not None and tick == begin.tick
        if at_key and not item.key_frame and begin != index.keyframes[0]:
            raise _AstrayError(number, NO_KEYFRAME)
        if tick is not None and tick < index.ticks[number]:
            continue
        if tick != index.ticks[number]:
            break
        yield item
        number += 1
        if number == stop:
            return
    if number < stop:
        raise _AstrayError(number, LEFT_OUT)
