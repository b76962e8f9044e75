"""Frames whose every second line was recorded later, with those lines made anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain

from av.filter import Graph
from av.video.frame import VideoFrame

FILTER, OPTIONS = "bwdif", "mode=send_frame:parity=auto:deint=all"
"""FFmpeg's: the BBC's filter, by the frames before and after; a frame out for each that comes in.
The first field, in the order that frames are tagged with, is kept."""
TICK = Fraction(1, 1000)
"""Frames come in order, and their times are known elsewhere."""
NEIGHBOURS = 1
"""How many frames before and after one decide it."""


def deinterlaced(frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """As many frames as there are; the first and the last know no neighbour on one side."""
    graph: Graph | None = None
    for frame in chain(frames, [None]):
        if graph is None:
            if frame is None:
                return
            graph = Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format,
                time_base=TICK,
            )  # fmt: skip
            graph.link_nodes(
                source, graph.add(FILTER, OPTIONS), graph.add("buffersink")
            ).configure()
        graph.push(frame)
        yield from _ready(graph)


def _ready(graph: Graph) -> Iterator[VideoFrame]:
    while True:
        try:
            frame = graph.pull()
        except (BlockingIOError, EOFError):  # it waits for more, or is done
            return
        assert isinstance(frame, VideoFrame)
        yield frame
