"""What carries labels, for those who ask for them: torch's network, or the same without torch.

Both know frames and labels by arrays of their own kind, which nobody else looks into.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

Seen = TypeVar("Seen")
"""What is seen of a frame, whatever is drawn on it."""
Values = TypeVar("Values")
"""Arrays of numbers."""


@dataclass(frozen=True)
class View(Generic[Seen, Values]):
    """A frame as a round of strokes finds it, at stride 16.

    Attributes:
        seen: what the features show.
        scores: (K, h, w) of the ridge classifier, each against background.
    """

    seen: Seen
    scores: Values


@dataclass(frozen=True)
class Labelled(Generic[Seen, Values]):
    """A frame whose labels are known.

    Attributes:
        seen: what the features show.
        labels: (K + 1, h, w), background first; shares that sum to 1.
    """

    seen: Seen
    labels: Values


class Carrier(Protocol[Seen, Values]):
    """Carries labels from frames to a frame next to them."""

    def __call__(
        self, view: View[Seen, Values], known: Sequence[Labelled[Seen, Values]], /
    ) -> Values:
        """Labels (K + 1, h, w) of a frame, by those of the annotated one and of some near it."""

    def packed(self, labels: Values, /) -> Values:
        """The same in half the bytes; a long clip has many."""

    def unpacked(self, labels: Values, /) -> Values:
        """As they were, but for rounding."""

    def between(self, labels: Sequence[Values], distances: Sequence[int], /) -> Values:
        """What arrives at a frame from several sides: the surer and the nearer, the more it counts.

        Args:
            labels: (K + 1, h, w) from each side.
            distances: how many frames each has come.
        """
