"""From an adapter and stored features to the frames that are worth drawing on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vostool.adapter import Adapter, Suggestion
from vostool.adapter.suggestion import Sight, grid, suggest
from vostool.pipeline.progress import Progress, quiet
from vostool.store import FeatureReader

MOST_FRAMES = 100
"""That are looked at; of a longer clip, so many that lie evenly in it."""
MOST_OF_MANY, FEWEST = 1000, 5
"""That are looked at of many clips, in all; and yet of each."""
KEPT = 50
"""Of many clips so many frames compete in the end, which bounds memory; each clip proposes its
best."""


class Suggestions:
    """The frames of one clip or many on which strokes are expected to teach most.

    Each clip proposes its best frames. Among those of all clips each is then chosen as if the ones
    before it had been drawn on, on whichever clip.

    Args:
        adapter: what was learnt so far.
        count: how many frames, at most.
        clips: how many clips there will be.
    """

    def __init__(self, adapter: Adapter, count: int, clips: int = 1) -> None:
        self._adapter, self._count = adapter, count
        self._frames = min(MOST_FRAMES, max(FEWEST, MOST_OF_MANY // max(1, clips)))
        self._proposed: list[tuple[Suggestion, Sight]] = []

    def look(self, reader: FeatureReader, progress: Progress = quiet) -> None:
        """Look at one more clip.

        Args:
            reader: the features that the adapter reads.
            progress: told of frames looked at.

        Raises:
            StoreError: a chunk is damaged.
        """
        xy = grid(reader.metadata.size)
        looked_at = min(reader.frames, self._frames)
        frames = np.linspace(0, reader.frames - 1, looked_at).round().astype(int).tolist()
        sights = {}
        for done, frame in enumerate(frames, 1):
            sights[frame] = Sight(frame, reader.pyramid.sample(reader.read_frame(frame), xy))
            progress(done, looked_at)
        for found in self._best(list(sights.values())):
            self._proposed.append((replace(found, clip=reader.clip_name), sights[found.frame]))
        self._proposed.sort(key=lambda proposed: -proposed[0].worth)
        del self._proposed[max(KEPT, self._count) :]

    def best(self) -> list[Suggestion]:
        """The frames to draw on, the best first."""
        numbered = [replace(sight, frame=n) for n, (_, sight) in enumerate(self._proposed)]
        return [
            replace(self._proposed[found.frame][0], worth=found.worth)
            for found in self._best(numbered)
        ]

    def _best(self, sights: list[Sight]) -> list[Suggestion]:
        gram, ridge = self._adapter.statistics.gram, self._adapter.preset.ridge
        return suggest(sights, self._adapter.W, gram, ridge, self._count)
