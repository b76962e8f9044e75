"""Where each object was: labels carried to a frame from the annotated frames on both its sides.

Annotated frames are answered in the order in which they were annotated, each with what the earlier
ones say of it: that is what the person saw who corrected it. From each, two tracks lead outwards. A
track goes on as far as somebody asks, and no step of it is made twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic

from vostool.label_propagation.carrier import Carrier, Labelled, Seen, Values, View

RECENT = 3
"""Frames that a track remembers, beside the annotated one that it began at."""

Look = Callable[[int], View[Seen, Values]]
"""What is seen of a frame, by its number."""


class Track(Generic[Seen, Values]):
    """Labels carried from an annotated frame, one way.

    Args:
        carrier: the network.
        look: sees frames.
        frame: the annotated frame.
        labels: (K + 1, h, w) of it, background first.
        step: 1 is forwards in time, -1 backwards.
    """

    def __init__(
        self,
        carrier: Carrier[Seen, Values],
        look: Look[Seen, Values],
        frame: int,
        labels: Values,
        step: int,
    ) -> None:
        self._carrier, self._look, self._frame, self._step = carrier, look, frame, step
        self._begin = Labelled(look(frame).seen, labels)
        self._recent: deque[Labelled[Seen, Values]] = deque(maxlen=RECENT)
        self._carried: list[Values] = []

    def at(self, frame: int) -> Values:
        """The labels (K + 1, h, w) that arrive at a frame on the track's side."""
        distance = (frame - self._frame) * self._step
        while len(self._carried) < distance:
            view = self._look(self._frame + self._step * (len(self._carried) + 1))
            labels = self._carrier(view, [self._begin, *self._recent])
            self._recent.append(Labelled(view.seen, labels))
            self._carried.append(self._carrier.packed(labels))
        return self._carrier.unpacked(self._carried[distance - 1])


class Priors(Generic[Seen, Values]):
    """Where objects were, of every frame.

    Args:
        carrier: the network.
        look: sees frames.
        annotated: the annotated frames, in the order in which they were annotated.
        settle: the labels (K + 1, h, w) of an annotated frame, given what arrives there from those
            before it, or None for the first.
    """

    def __init__(
        self,
        carrier: Carrier[Seen, Values],
        look: Look[Seen, Values],
        annotated: Sequence[int],
        settle: Callable[[int, Values | None], Values],
    ) -> None:
        self._carrier, self._look = carrier, look
        self._annotated, self._settle = list(annotated), settle
        self._settled: dict[int, Values] = {}
        self._tracks: dict[tuple[int, int], Track[Seen, Values]] = {}

    def of(self, frame: int) -> Values | None:
        """The labels (K + 1, h, w) that arrive at a frame; None where nothing was annotated before.

        At an annotated frame they come from those that were annotated before it.
        """
        if frame in self._annotated:
            return self._arriving(frame, self._annotated[: self._annotated.index(frame)])
        return self._arriving(frame, self._annotated)

    def _arriving(self, frame: int, annotated: Sequence[int]) -> Values | None:
        """From the nearest of some annotated frames on each side."""
        before = [other for other in annotated if other < frame]
        after = [other for other in annotated if other > frame]
        nearest = [(max(before), 1)] if before else []
        nearest += [(min(after), -1)] if after else []
        if not nearest:
            return None
        labels = [self._track(*begin).at(frame) for begin in nearest]
        return self._carrier.between(labels, [abs(frame - other) for other, _ in nearest])

    def _track(self, frame: int, step: int) -> Track[Seen, Values]:
        for earlier in self._annotated[: self._annotated.index(frame) + 1]:
            if earlier not in self._settled:  # in their order, each by those before it
                self._settled[earlier] = self._settle(earlier, self.of(earlier))
        if (frame, step) not in self._tracks:
            labels = self._settled[frame]
            self._tracks[frame, step] = Track(self._carrier, self._look, frame, labels, step)
        return self._tracks[frame, step]
