"""From some frames' features to their masks: by the classifier alone, or through the decoder."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vostool.adapter import Preset
from vostool.errors import AdapterError
from vostool.masks import Mask
from vostool.pyramid import Pyramid
from vostool.store import Features, Readable

Masks = npt.NDArray[np.uint8]
"""(T, H, W), the id of each pixel's object, 0 for background."""


class Labeller(Protocol):
    """Makes masks of features."""

    def masks(self, features: Features) -> Masks:
        """Masks of some frames, (T, h, w, C) a level, at the clip's resolution."""


def find_labeller(
    stage: Readable,
    preset: Preset,
    W: npt.NDArray[np.float64],
    object_ids: tuple[int, ...],
    device: str = "auto",
) -> Labeller:
    """What makes masks under a preset.

    Args:
        stage: whose features will be labelled.
        preset: with the decoder or without.
        W: (C, K + 1), background first.
        object_ids: the id of each column.
        device: where the decoder runs.

    Raises:
        AdapterError: the decoder was not trained for these features.
        WeightsError: the decoder's weights are broken.
    """
    if not preset.decoder:
        return ArgMax(stage.pyramid, W, object_ids)
    from vostool.decoder.labelling import Decoding, reads
    from vostool.pipeline.making import find_device

    if stage.stamp.made_from.get("weights") != reads():
        raise AdapterError(
            f"{stage.clip_name}: the decoder reads the default backbone's features, these are "
            "others; use --preset paper, or run vostool extract again with the default backbone"
        )
    return Decoding(stage.pyramid, W, object_ids, find_device(device))


class ArgMax:
    """The paper's way: each pixel's best score, brought up to the clip's pixels.

    Args:
        pyramid: the features' geometry.
        W: (C, K + 1), background first.
        object_ids: the id of each column.
    """

    def __init__(
        self, pyramid: Pyramid, W: npt.NDArray[np.float64], object_ids: tuple[int, ...]
    ) -> None:
        self._pyramid = pyramid
        # Scores against background's: one map fewer to bring up, and arg-max is the same.
        self._weights = pyramid.split(W[:, 1:] - W[:, :1])
        self._object_ids = object_ids[1:]

    def masks(self, features: Features) -> Masks:
        """Masks of some frames, (T, h, w, C) a level, at the clip's resolution."""
        frames = [[level[t] for level in features] for t in range(len(features[0]))]
        if len(frames) == 1:
            return self._mask(frames[0])[None]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.stack(list(pool.map(self._mask, frames)))

    def _mask(self, features: Features) -> Mask:
        mask = np.zeros(self._pyramid.clip_size, np.uint8)
        best = np.zeros(self._pyramid.clip_size, np.float32)  # background's score
        scores = self._pyramid.scores(features, self._weights)
        for object_id, score in zip(self._object_ids, scores, strict=True):
            mask[score > best] = object_id
            np.maximum(best, score, out=best)
        return mask
