"""The frames that are worth drawing on: where masks are in doubt, and those of the frames around.

Strokes on a frame help its neighbours, too; so a frame is worth the doubt of all masks near it, the
nearer the more. When a frame is chosen, those near it are no longer counted as much, as if it had
been drawn on: the next choice lies elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

MOST_FRAMES = 100
"""That are looked at; of a longer clip, so many that lie evenly in it."""
MOST_OF_MANY, FEWEST = 1000, 5
"""That are looked at of many clips, in all; and yet of each."""
REACH = 0.1
"""How far from a frame others count, as a share of the clip."""


@dataclass(frozen=True)
class Suggestion:
    """A frame to draw on.

    Attributes:
        frame: its number.
        worth: the share of the masks round it that is expected to be wrong, 1 less their
            confidence; by it frames compare, also with those of other clips.
        clip: the clip's name.
    """

    frame: int
    worth: float
    clip: str = ""


def frames_to_look_at(frames: int, clips: int = 1) -> list[int]:
    """The numbers of the frames of a clip that are looked at.

    Args:
        frames: how many the clip has.
        clips: how many clips compete.
    """
    most = min(frames, MOST_FRAMES, max(FEWEST, MOST_OF_MANY // max(1, clips)))
    numbers: list[int] = np.linspace(0, frames - 1, most).round().astype(int).tolist()
    return numbers


def choose(
    confidences: Mapping[int, float], frames: int, drawn: Collection[int], count: int, clip: str
) -> list[Suggestion]:
    """The frames to draw on, the best first.

    Args:
        confidences: of the masks that were looked at, by frame.
        frames: how many the clip has.
        drawn: the frames with strokes, which are not chosen again.
        count: how many to choose, at most.
        clip: the clip's name.
    """
    looked_at = np.array(sorted(confidences))
    doubts = np.array([1 - confidences[frame] for frame in looked_at.tolist()])
    away = np.abs(looked_at[:, None] - looked_at) / max(1.0, REACH * frames)
    near = np.clip(1 - away, 0, None)
    near /= near.sum(axis=1, keepdims=True)
    free = ~np.isin(looked_at, list(drawn))
    chosen: list[Suggestion] = []
    while free.any() and len(chosen) < count:
        worths = np.where(free, near @ doubts, -np.inf)
        best = int(worths.argmax())
        chosen.append(Suggestion(int(looked_at[best]), float(worths[best]), clip))
        free[best] = False
        doubts = doubts * np.minimum(1, away[best])
    return chosen


def best_of(suggestions: Iterable[Suggestion], count: int) -> list[Suggestion]:
    """The best of several clips' suggestions, the best first.

    Args:
        suggestions: of all clips.
        count: how many, at most.
    """
    return sorted(suggestions, key=lambda one: -one.worth)[:count]
