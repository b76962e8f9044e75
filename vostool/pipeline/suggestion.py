"""From an adapter and stored features to the frames that are worth drawing on."""

from __future__ import annotations

import numpy as np

from vostool.adapter import Adapter, Suggestion
from vostool.adapter.suggestion import Sight, grid, suggest
from vostool.pipeline.progress import Progress, quiet
from vostool.store import FeatureReader

MOST_FRAMES = 100
"""That are looked at; of a longer clip, so many that lie evenly in it."""


def suggest_frames(
    reader: FeatureReader, adapter: Adapter, count: int, *, progress: Progress = quiet
) -> list[Suggestion]:
    """The frames on which strokes are expected to teach most, the best first.

    Args:
        reader: the features that the adapter reads.
        adapter: what was learnt so far.
        count: how many frames, at most.
        progress: told of frames looked at.

    Raises:
        StoreError: a chunk is damaged.
    """
    xy = grid(reader.metadata.size)
    looked_at = min(reader.frames, MOST_FRAMES)
    frames = np.linspace(0, reader.frames - 1, looked_at).round().astype(int).tolist()
    sights = []
    for done, frame in enumerate(frames, 1):
        sights.append(Sight(frame, reader.pyramid.sample(reader.read_frame(frame), xy)))
        progress(done, looked_at)
    return suggest(sights, adapter.W, adapter.statistics.gram, adapter.preset.ridge, count)
