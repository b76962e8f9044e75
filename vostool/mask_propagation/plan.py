"""Who goes where: from each annotated frame both ways, up to the middle towards the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SPAN_FRAMES = 16
"""Frames that are looked at, and kept, together: what memory holds and a stopped run repeats."""


@dataclass(frozen=True)
class Span:
    """Some frames of a mask's way, one after the other.

    Attributes:
        anchor: the annotated frame that the mask comes from.
        frames: outwards from the anchor; the anchor alone, where the way begins.
        before: the span before it, None for the anchor's.
    """

    anchor: int
    frames: tuple[int, ...]
    before: Span | None = None

    @property
    def name(self) -> str:
        """What it is called among those of its clip."""
        return f"{self.anchor:06d}-{self.frames[0]:06d}"

    @property
    def first_distance(self) -> int:
        """Frames from the anchor to the first of these."""
        return abs(self.frames[0] - self.anchor)


def plan(annotated: Iterable[int], frames: int) -> list[Span]:
    """The spans of a clip, each after the one before it.

    Every frame is in one span, and a frame in the very middle between two annotated ones in two,
    as the last of each.

    Args:
        annotated: the annotated frames.
        frames: how many the clip has.
    """
    anchors = sorted(annotated)
    spans: list[Span] = []
    for number, anchor in enumerate(anchors):
        start = Span(anchor, (anchor,))
        spans.append(start)
        first, last = 0, frames - 1
        if number > 0:
            first = -(-(anchors[number - 1] + anchor) // 2)
        if number < len(anchors) - 1:
            last = (anchor + anchors[number + 1]) // 2
        for way in (range(anchor + 1, last + 1), range(anchor - 1, first - 1, -1)):
            before = start
            for begin in range(0, len(way), SPAN_FRAMES):
                before = Span(anchor, tuple(way[begin : begin + SPAN_FRAMES]), before)
                spans.append(before)
    return spans


def meetings(spans: Iterable[Span]) -> dict[int, list[Span]]:
    """The spans of each frame that is in two."""
    found: dict[int, list[Span]] = {}
    for span in spans:
        found.setdefault(span.frames[-1], []).append(span)
    return {frame: ending for frame, ending in found.items() if len(ending) > 1}
