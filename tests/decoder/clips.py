"""Clips in memory, and adapters that nobody fitted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.shots import ShotFeatures
from vostool.adapter import Adapter, LearntClip, Provenance, Samples, SufficientStatistics
from vostool.backbones.efficientnet_lite import ARCHITECTURE
from vostool.presets import PRESETS
from vostool.pyramid import Pyramid
from vostool.store import Features

SIZE = (96, 128)
PYRAMID = Pyramid(SIZE, SIZE, ARCHITECTURE.levels(*SIZE))


def random_features(frames: int, seed: int = 0) -> Features:
    """(T, h, w, C) a level, of unit length a vertex, as stored; frames that follow are alike."""
    rng = np.random.default_rng(seed)
    features = []
    for level in PYRAMID.levels:
        one, other = rng.normal(size=(2, 1, *level.shape))
        when = np.linspace(0, 1, frames)[:, None, None, None]
        grids = (1 - when) * one + when * other
        features.append((grids / np.linalg.norm(grids, axis=-1, keepdims=True)).astype(np.float16))
    return features


def clip_of(features: Features) -> ShotFeatures:
    """A reader of them."""
    return ShotFeatures(features, PYRAMID, kind="backbone")


def adapter_of(
    W: npt.NDArray[np.float64],
    object_ids: tuple[int, ...],
    strokes: Samples | None = None,
    clip: str = "shot",
) -> Adapter:
    """A classifier of some objects, with strokes that it was fitted to."""
    channels, classes = W.shape
    statistics = SufficientStatistics(
        object_ids, np.ones(classes), np.zeros((classes, channels)), np.eye(channels)
    )
    strokes = Samples.empty() if strokes is None else strokes
    key = clip_of([]).cache_key.digest if clip == "shot" else clip
    learnt = LearntClip(clip, key, SIZE, (), Samples.empty(), strokes)
    provenance = Provenance("net", "backbone", {}, 0, "0")
    return Adapter(W, statistics, (learnt,), PRESETS["default"], provenance)


def strokes_on(*rows: tuple[int, int, int, int, int]) -> Samples:
    """Of each row (frame, x, y, object id, round) a line of 16 pixels to the right."""
    long = [(frame, x + n, y, k, number) for frame, x, y, k, number in rows for n in range(16)]
    return Samples(*np.array(long).T)
