"""From some frames' features to their masks: by the classifier alone, or through the decoder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from vostool.adapter import Adapter
from vostool.masks import Mask, argmax_mask, confidence
from vostool.pipeline.compatibility import find_decoder
from vostool.pipeline.runtime import find_device, is_cpu
from vostool.presets import Preset
from vostool.pyramid import Pyramid
from vostool.scribbles import BACKGROUND
from vostool.store import FeatureReader, Features
from vostool.weights import find_weights

if TYPE_CHECKING:
    from vostool.decoder.networks import DecoderNetworks

Masks = npt.NDArray[np.uint8]
"""(T, H, W), the id of each pixel's object, 0 for background."""
Scores = npt.NDArray[np.float32]
"""(T, K, H, W), of each object against background's 0, at the clip's resolution."""


class MaskPredictor(Protocol):
    """Makes masks of the frames from one on, of their features (T, h, w, C) a level."""

    def scores(self, start: int, features: Features) -> Scores:
        """Scores of the frames from ``start`` on."""

    def masks(self, start: int, features: Features) -> Masks:
        """Masks of the frames from ``start`` on: each pixel's best score."""

    def masks_with_scores(self, start: int, features: Features) -> Iterator[tuple[Mask, Scores]]:
        """The mask of each frame from ``start`` on, and the scores (K, H, W) it is made of."""

    def sure_mask(self, frame: int, features: Features) -> tuple[Mask, float]:
        """The mask of one frame, its features (1, h, w, C) a level; and how sure it is."""


Fit = Callable[[Adapter], MaskPredictor]
"""Makes what makes masks, by an adapter; what depends on the clip alone is kept from one to the
next."""
FindPredictor = Callable[[FeatureReader, Preset, str], Fit]
"""Finds what makes masks of features, under a preset, on a device."""


def find_predictor(reader: FeatureReader, preset: Preset, device: str = "auto") -> Fit:
    """What makes masks under a preset.

    Args:
        reader: whose features will be read.
        preset: whether there is a decoder.
        device: where the decoder runs, if there is one.

    Raises:
        AdapterError: the decoder was not trained for these features.
        WeightsError: the decoder's weights are broken.
    """
    if not preset.decoder:
        return lambda adapter: LinearPredictor(reader.pyramid, adapter.W, adapter.object_ids)
    from vostool.decoder.clip import DecoderClip
    from vostool.decoder.predictor import DecoderPredictor

    name = find_decoder(reader.cache_key.made_from.get("weights"), reader.clip_name)
    networks = find_networks(find_weights(name), reader.pyramid, device)
    return partial(DecoderPredictor, DecoderClip(reader, networks))


def find_networks(weights: Path, pyramid: Pyramid, device: str) -> DecoderNetworks[Any, Any]:
    """The decoder's networks: in torch on a GPU, and without it on a CPU.

    Args:
        weights: a file of ours.
        pyramid: of the features.
        device: where they run.

    Raises:
        WeightsError: the weights are broken.
    """
    if is_cpu(device):
        from vostool.decoder.compiled import compiled

        return compiled(weights)
    from vostool.decoder.strides import stride_channels
    from vostool.decoder.torch_networks import on_device

    return on_device(weights, stride_channels(pyramid), find_device(device))


class LinearPredictor:
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

    def scores(self, start: int, features: Features) -> Scores:
        """Scores of some frames, (T, h, w, C) a level."""
        frames = [[level[t] for level in features] for t in range(len(features[0]))]
        return np.stack([self._pyramid.scores(frame, self._weights) for frame in frames])

    def masks(self, start: int, features: Features) -> Masks:
        """Masks of some frames: each pixel's best score."""
        frames = [[level[t] for level in features] for t in range(len(features[0]))]
        if len(frames) == 1:
            return self._mask(frames[0])[None]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.stack(list(pool.map(self._mask, frames)))

    def masks_with_scores(self, start: int, features: Features) -> Iterator[tuple[Mask, Scores]]:
        """The mask of each of some frames, and its scores."""
        for scores in self.scores(start, features):
            yield argmax_mask(scores, self._object_ids), scores

    def sure_mask(self, frame: int, features: Features) -> tuple[Mask, float]:
        """The mask of one frame, and how sure it is; here in the scores' own units."""
        return sure_mask(self.scores(frame, features)[0], (BACKGROUND, *self._object_ids))

    def _mask(self, features: Features) -> Mask:
        return argmax_mask(self._pyramid.scores(features, self._weights), self._object_ids)


def average_masks(
    predictors: Sequence[MaskPredictor],
    start: int,
    features: Sequence[Features],
    object_ids: tuple[int, ...],
) -> Masks:
    """Masks by the average of several models' scores: the challenge entry (§2.1, footnote).

    Args:
        predictors: a model's each, of the same objects and in the same order.
        start: the first frame.
        features: of the frames from there on, for each predictor.
        object_ids: the id of each column of W, background first.
    """
    scores = average_scores(predictors, start, features)
    return np.stack([argmax_mask(frame, object_ids[1:]) for frame in scores])


def average_scores(
    predictors: Sequence[MaskPredictor], start: int, features: Sequence[Features]
) -> Scores:
    """The average of several models' scores, (T, K, H, W).

    Args:
        predictors: a model's each, of the same objects and in the same order.
        start: the first frame.
        features: of the frames from there on, for each predictor.
    """
    every = [
        predictor.scores(start, read) for predictor, read in zip(predictors, features, strict=True)
    ]
    return np.asarray(np.mean(every, axis=0), np.float32)


def sure_mask(scores: npt.NDArray[np.float32], object_ids: Sequence[int]) -> tuple[Mask, float]:
    """The mask of a frame's scores (K, H, W), and how sure it is.

    Args:
        scores: of each object against background's 0.
        object_ids: background's, and each object's.
    """
    return argmax_mask(scores, object_ids[1:]), confidence(scores)
