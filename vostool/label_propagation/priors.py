"""Where each object was: labels carried to a frame from the annotated frames on both its sides.

Annotated frames are answered in the order in which they were annotated, each with what the earlier
ones say of it: that is what the person saw who corrected it. From each, two tracks lead outwards. A
track goes on as far as somebody asks, and no step of it is made twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vostool.label_propagation.network import Labelled, LabelPropagator, View

RECENT = 3
"""Frames that a track remembers, beside the annotated one that it began at."""

Look = Callable[[int], View]
"""What is seen of a frame, by its number."""


class Track:
    """Labels carried from an annotated frame, one way.

    Args:
        propagator: the network.
        look: sees frames.
        frame: the annotated frame.
        labels: (K + 1, h, w) of it, background first.
        step: 1 is forwards in time, -1 backwards.
    """

    def __init__(
        self, propagator: LabelPropagator, look: Look, frame: int, labels: Tensor, step: int
    ) -> None:
        self._propagator, self._look, self._frame, self._step = propagator, look, frame, step
        self._begin = Labelled(look(frame).seen, labels)
        self._recent: deque[Labelled] = deque(maxlen=RECENT)
        self._carried: list[Tensor] = []

    def at(self, frame: int) -> Tensor:
        """The labels (K + 1, h, w) that arrive at a frame on the track's side."""
        distance = (frame - self._frame) * self._step
        while len(self._carried) < distance:
            view = self._look(self._frame + self._step * (len(self._carried) + 1))
            labels = self._propagator(view, [self._begin, *self._recent])
            self._recent.append(Labelled(view.seen, labels))
            self._carried.append(labels.half())  # a long clip has many
        return self._carried[distance - 1].float()


class Priors:
    """Where objects were, of every frame.

    Args:
        propagator: the network.
        look: sees frames.
        annotated: the annotated frames, in the order in which they were annotated.
        settle: the labels (K + 1, h, w) of an annotated frame, given what arrives there from those
            before it, or None for the first.
    """

    def __init__(
        self,
        propagator: LabelPropagator,
        look: Look,
        annotated: Sequence[int],
        settle: Callable[[int, Tensor | None], Tensor],
    ) -> None:
        self._propagator, self._look = propagator, look
        self._annotated, self._settle = list(annotated), settle
        self._settled: dict[int, Tensor] = {}
        self._tracks: dict[tuple[int, int], Track] = {}

    def of(self, frame: int) -> Tensor | None:
        """The labels (K + 1, h, w) that arrive at a frame; None where nothing was annotated before.

        At an annotated frame they come from those that were annotated before it.
        """
        if frame in self._annotated:
            return self._arriving(frame, self._annotated[: self._annotated.index(frame)])
        return self._arriving(frame, self._annotated)

    def _arriving(self, frame: int, annotated: Sequence[int]) -> Tensor | None:
        """From the nearest of some annotated frames on each side."""
        before = [other for other in annotated if other < frame]
        after = [other for other in annotated if other > frame]
        nearest = [(max(before), 1)] if before else []
        nearest += [(min(after), -1)] if after else []
        if not nearest:
            return None
        labels = torch.stack([self._track(*begin).at(frame) for begin in nearest])
        distance = torch.tensor([float(abs(frame - other)) for other, _ in nearest])
        sure = labels.max(dim=1, keepdim=True).values
        weights = sure.square() / distance.to(sure).view(-1, 1, 1, 1)
        return (weights * labels).sum(dim=0) / weights.sum(dim=0)

    def _track(self, frame: int, step: int) -> Track:
        for earlier in self._annotated[: self._annotated.index(frame) + 1]:
            if earlier not in self._settled:  # in their order, each by those before it
                self._settled[earlier] = self._settle(earlier, self.of(earlier))
        if (frame, step) not in self._tracks:
            labels = self._settled[frame]
            self._tracks[frame, step] = Track(self._propagator, self._look, frame, labels, step)
        return self._tracks[frame, step]
