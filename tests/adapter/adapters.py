"""Adapters that nobody fitted, of one clip or several."""

from __future__ import annotations

import numpy as np

from vostool.adapter import Adapter, LearntClip, Provenance, Samples, SufficientStatistics
from vostool.presets import PRESETS, Preset

OBJECT_IDS = np.array([0, 5, 9])
SIZES = ((48, 64), (96, 32), (64, 64))
"""(H, W) of the clips, one after the other."""


def some_adapter(channels: int = 4, clips: int = 1, preset: Preset = PRESETS["default"]) -> Adapter:
    """Of two objects; its clips are ``clip``, ``clip2`` and so on, the first drawn on twice."""
    rng = np.random.default_rng(0)
    labels = np.array([0, 0, 0, 5, 5, 9])
    statistics = SufficientStatistics.of(rng.normal(size=(6, channels)), labels)
    learnt = []
    for number in range(clips):
        samples, strokes = (some_samples(rng, n) for n in (6, 8))
        name = f"clip{number + 1}" if number else "clip"
        files = (f"{name}.json",) if number else ("a.json", "b.json")
        key = f"key of {name}"
        learnt.append(LearntClip(name, key, SIZES[number], files, samples, strokes))
    provenance = Provenance("net", "backbone", {"backbone": "net", "weights": "w"}, 3, "0")
    W = rng.normal(size=(channels, 3))
    return Adapter(W, statistics, tuple(learnt), preset, provenance)


def some_samples(rng: np.random.Generator, count: int) -> Samples:
    """Anywhere in the first pixels and frames."""
    columns = [np.arange(9), np.arange(9), np.arange(9), OBJECT_IDS, np.arange(1, 3)]
    return Samples(*(column[rng.integers(0, len(column), count)] for column in columns))
