"""Rounds of interaction in small: a session on a shot, with a made-up user.

The decoder learns from what it will meet: scores of classifiers that were fitted to a few strokes,
right and wrong ones, and after a few corrections of its own masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.adapter import Adapter
from vostool.backbones import Backbone
from vostool.decoder.network import Decoder
from vostool.decoder.scores import Scoring
from vostool.errors import AdapterError
from vostool.masks import argmax_mask
from vostool.pipeline.predictors import Masks, Scores
from vostool.precision import mixed_precision
from vostool.presets import PRESETS
from vostool.pyramid import Pyramid
from vostool.scribbles import Scribbles, StrokeMap
from vostool.session import Session
from vostool.store import CacheKey, ClipMetadata, FeatureReader, Features
from vostool.strnn.context import context_pyramid, on_one_grid
from vostool.strnn.model import SpatioTemporalRNN
from vostool.training.data import Shot
from vostool.training.strokes import corrections

SMALLEST_OBJECT = 60
"""Pixels of an object that a user would mark."""
DONE = 0.98
"""J of the worst frame above which a user has nothing to correct."""
FULL_HEIGHT = 480
"""The height at which λ was chosen. Strokes on a smaller frame have fewer pixels to weigh it."""


@dataclass(frozen=True)
class ShotFeatures:
    """A :class:`vostool.store.FeatureReader` of a shot, in memory, as the store would hold it.

    Attributes:
        features: (T, h, w, C) a level, the backbone's before the context's.
        pyramid: their geometry.
    """

    features: Features
    pyramid: Pyramid
    kind: str = "both"
    network: str = ""
    clip_name: str = "shot"

    @property
    def frames(self) -> int:
        """How many frames the shot has."""
        return len(self.features[0])

    @property
    def metadata(self) -> ClipMetadata:
        """A shot has no source."""
        return ClipMetadata("", 0, None, self.pyramid.clip_size, 24.0, "")

    @property
    def cache_key(self) -> CacheKey:
        """Nothing is kept."""
        return CacheKey({})

    def read(self, start: int, stop: int) -> Features:
        """Features of the frames start..stop-1, (T, h, w, C) a level."""
        return [level[start:stop] for level in self.features]

    def read_frame(self, frame: int) -> Features:
        """Features of one frame, (h, w, C) a level."""
        return [level[frame] for level in self.features]

    def by_chunk(self) -> Iterator[tuple[int, Features]]:
        """All frames at once."""
        yield 0, self.features

    def check_unchanged(self) -> None:
        """Nothing changes in memory."""


@torch.inference_mode()
def read_shot(
    images: npt.NDArray[np.uint8], backbone: Backbone, rnn: SpatioTemporalRNN
) -> ShotFeatures:
    """Run both networks over a shot.

    Args:
        images: (T, H, W, 3).
        backbone: the default network.
        rnn: that was trained for it.
    """
    size = images.shape[1], images.shape[2]
    pyramid = Pyramid(size, size, backbone.levels(*size))
    features = backbone.features(images)
    levels = [torch.from_numpy(level).to(rnn.U.device) for level in features]
    context = rnn(on_one_grid(levels, pyramid))[0].half().cpu().numpy()
    both = pyramid.with_context(context_pyramid(pyramid, rnn.config.out_channels))
    return ShotFeatures([*features, context], both)


@dataclass(frozen=True)
class Simulation:
    """A shot's object after some rounds.

    Attributes:
        levels: the features, (T, h, w, C) float32 each.
        scores: (T, 1, h, w) of the ridge classifier, at the finest stride.
        earlier: those of the round before, which the last strokes correct; None in the first.
        truth: (T, H, W) where the object is.
        marks: the strokes of the annotated frames.
        pyramid: the features' geometry.
    """

    levels: list[Tensor]
    scores: Tensor
    earlier: Tensor | None
    truth: npt.NDArray[np.bool_]
    marks: dict[int, StrokeMap]
    pyramid: Pyramid


class TrainedDecoder:
    """A :class:`vostool.pipeline.predictors.MaskPredictor` by a decoder that is being trained.

    Args:
        decoder: in float32.
        levels: the shot's features, (T, h, w, C) float32 each, where the decoder is.
        ridge_scores: (T, K, h, w) of the classifier.
        pyramid: the features' geometry.
        object_ids: the object of each score.
    """

    def __init__(
        self,
        decoder: Decoder,
        levels: list[Tensor],
        ridge_scores: Tensor,
        pyramid: Pyramid,
        object_ids: tuple[int, ...],
    ) -> None:
        self._decoder, self._levels, self._pyramid = decoder, levels, pyramid
        self._ridge_scores, self._object_ids = ridge_scores, object_ids

    @torch.no_grad()
    def scores(self, features: Features) -> Scores:
        """Scores of all frames: a shot is small."""
        logits = decode(self._decoder, self._levels, self._ridge_scores, self._pyramid)
        return at_pixels(logits, self._pyramid).cpu().numpy()

    def masks(self, features: Features) -> Masks:
        """Masks of all frames: each pixel's best score."""
        return np.stack([argmax_mask(frame, self._object_ids) for frame in self.scores(features)])


def simulate(
    shot: Shot, reader: ShotFeatures, decoder: Decoder, rounds: int, rng: np.random.Generator
) -> Simulation | None:
    """Mark a shot's first object and correct the decoder's masks, on the worst frame each round.

    Args:
        shot: the frames; what has label 1 is the object, anything else is background.
        reader: of its frames.
        decoder: makes the masks that are corrected.
        rounds: at most.
        rng: decides the frame that comes first, the strokes and the random background.

    Returns:
        The scores after the last round; None where the object is nowhere large enough to be marked,
        or nothing can be told apart.
    """
    truth = shot.masks == 1
    visible = np.flatnonzero(truth.sum(axis=(1, 2)) >= SMALLEST_OBJECT)
    if not len(visible):
        return None
    levels = [torch.from_numpy(level).to(decoder.gain.device).float() for level in reader.features]
    scores: list[Tensor] = []

    def trained(reader: FeatureReader, adapter: Adapter, device: str) -> TrainedDecoder:
        return TrainedDecoder(decoder, levels, scores[-1], reader.pyramid, adapter.object_ids[1:])

    preset = PRESETS["default"]
    session = Session(
        [reader],
        preset=replace(preset, ridge=preset.ridge * reader.pyramid.clip_size[0] / FULL_HEIGHT),
        seed=int(rng.integers(1 << 30)),
        find_predictor=trained,
    )
    frame, masks = int(rng.choice(visible)), None
    for number in range(1, rounds + 1):
        marks = corrections(truth[frame], None if masks is None else masks[frame] == 1, rng)
        strokes = Scribbles("simulation", {}, {frame: marks})
        try:
            session.add_scribbles(
                strokes, previous_masks=None if masks is None else {frame: masks[frame]}
            )
        except AdapterError:  # nothing to tell apart
            return None
        W = session.adapter.W
        scores.append(Scoring(reader.pyramid, W, decoder.gain.device)(levels))
        if number == rounds:
            break
        masks = np.stack([mask for _, mask in session.masks()])
        frame, j = worst_frame(masks == 1, truth)
        if j > DONE:
            break
    size, given = reader.pyramid.clip_size, session.adapter.strokes
    return Simulation(
        levels,
        scores[-1],
        scores[-2] if len(scores) > 1 else None,
        truth,
        {int(frame): given.stroke_map(int(frame), size) for frame in np.unique(given.frame)},
        reader.pyramid,
    )


def worst_frame(masks: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> tuple[int, float]:
    """The frame of least J, and its J; frames without the object in either count as right.

    Args:
        masks, truth: (T, H, W).
    """
    either = (masks | truth).sum(axis=(1, 2))
    j = np.where(either > 0, (masks & truth).sum(axis=(1, 2)) / np.maximum(1, either), 1.0)
    return int(np.argmin(j)), float(j.min())


def decode(decoder: Decoder, levels: list[Tensor], scores: Tensor, pyramid: Pyramid) -> Tensor:
    """Logits (T, K, h, w) in mixed precision: a GPU's half, or bfloat16 where a CPU is fast in it.

    Args:
        decoder: in float32.
        levels: (T, h, w, C) float32 each; it reads the backbone's.
        scores: (T, K, h, w).
        pyramid: the geometry of the levels.
    """
    read = [level.permute(0, 3, 1, 2) for level in pyramid.of_backbone(levels)]
    with mixed_precision(scores.device):
        logits: Tensor = decoder(read, scores)
    return logits.float()


def at_pixels(logits: Tensor, pyramid: Pyramid) -> Tensor:
    """(T, K, H, W), of logits (T, K, h, w) at the finest stride."""
    rows, columns = (torch.from_numpy(m).to(logits.device) for m in pyramid.finest_to_pixels)
    return rows @ logits @ columns
