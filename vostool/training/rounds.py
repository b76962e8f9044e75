"""Rounds of interaction in small: strokes, the adapter of Eq. 3, and what it scores.

The decoder learns from what it will meet: scores of classifiers that were fitted to a few strokes,
right and wrong ones, and after a few corrections of its own masks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.adapter import PRESETS, Moments, Samples, sample_round, solve
from vostool.backbones import Backbone
from vostool.decoder.network import WIDTHS, Decoder
from vostool.decoder.scores import Scoring
from vostool.masks import Mask
from vostool.precision import mixed_precision
from vostool.pyramid import Pyramid
from vostool.scribbles import UNMARKED, StrokeMap
from vostool.store import Features
from vostool.strnn.model import SpatioTemporalRNN
from vostool.strnn.propagation import context_pyramid, on_one_grid
from vostool.training.data import Shot
from vostool.training.strokes import corrections

SMALLEST_OBJECT = 60
"""Pixels of an object that a user would mark."""
DONE = 0.98
"""J of the worst frame above which a user has nothing to correct."""
FULL_HEIGHT = 480
"""The height at which λ was chosen. Strokes on a smaller frame have fewer pixels to weigh it."""


@dataclass(frozen=True)
class Reading:
    """What the classifier of the preset ``default`` reads of a shot, as the store would hold it.

    Attributes:
        features: (T, h, w, C) a level, the backbone's before the context's.
        pyramid: their geometry.
    """

    features: Features
    pyramid: Pyramid


@torch.inference_mode()
def read_shot(images: npt.NDArray[np.uint8], backbone: Backbone, rnn: SpatioTemporalRNN) -> Reading:
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
    both = pyramid.beside(context_pyramid(pyramid, rnn.config.out_channels))
    return Reading([*features, context], both)


@dataclass(frozen=True)
class Played:
    """A shot's object after some rounds.

    Attributes:
        levels: the features, (T, h, w, C) float32 each.
        scores: (T, 1, h, w) of the ridge classifier, at the finest stride.
        earlier: those of the round before, which the last strokes correct; None in the first.
        truth: (T, H, W) where the object is.
        marks: the strokes of the annotated frames, in the order in which they were first drawn on.
        pyramid: the features' geometry.
    """

    levels: list[Tensor]
    scores: Tensor
    earlier: Tensor | None
    truth: npt.NDArray[np.bool_]
    marks: dict[int, StrokeMap]
    pyramid: Pyramid


def play(
    shot: Shot, reading: Reading, decoder: Decoder, rounds: int, rng: np.random.Generator
) -> Played | None:
    """Mark a shot's first object and correct the decoder's masks, on the worst frame each round.

    Args:
        shot: the frames; what has label 1 is the object, anything else is background.
        reading: of its frames.
        decoder: makes the masks that are corrected.
        rounds: at most.
        rng: decides the frame that comes first, the strokes and the random background.

    Returns:
        The scores after the last round; None where the object is nowhere large enough to be marked,
        or nothing can be told apart.
    """
    truth = shot.masks == 1
    size = truth.shape[1], truth.shape[2]
    device = decoder.gain.device
    features, pyramid = reading.features, reading.pyramid
    levels = [torch.from_numpy(level).to(device).float() for level in features]
    preset = PRESETS["default"]
    preset = replace(preset, ridge=preset.ridge * size[0] / FULL_HEIGHT)
    visible = np.flatnonzero(truth.sum(axis=(1, 2)) >= SMALLEST_OBJECT)
    if not len(visible):
        return None
    frame, masks, scores, earlier = int(rng.choice(visible)), None, None, None
    samples, moments = Samples.none(), Moments.none(pyramid.channels)
    drawn: dict[int, StrokeMap] = {}
    for number in range(1, rounds + 1):
        marks = corrections(truth[frame], None if masks is None else masks[frame], rng)
        drawn[frame] = np.where(marks == UNMARKED, drawn.get(frame, marks), marks)
        predicted: dict[int, Mask] = {}
        if masks is not None:
            predicted[frame] = masks[frame].astype(np.uint8)
        new = sample_round({frame: marks}, predicted, samples, preset, int(rng.integers(1 << 30)))
        here = pyramid.sample([level[frame] for level in features], new.xy)
        samples, moments = Samples.joined([samples, new]), moments.plus(here, new.object_id)
        if not moments.counts.all() or len(moments.counts) < 2:
            return None
        earlier, scores = scores, Scoring(pyramid, solve(moments, preset.ridge), device)(levels)
        if number == rounds:
            break
        with torch.no_grad():
            logits = at_pixels(decode(decoder, levels, scores), pyramid)
        masks = (logits[:, 0] > 0).cpu().numpy()
        together = (masks | truth).sum(axis=(1, 2))
        j = (masks & truth).sum(axis=(1, 2)) / np.maximum(1, together)
        frame = int(np.argmin(np.where(together > 0, j, 1.0)))
        if j[frame] > DONE:
            break
    return None if scores is None else Played(levels, scores, earlier, truth, drawn, pyramid)


def decode(decoder: Decoder, levels: list[Tensor], scores: Tensor) -> Tensor:
    """Logits (T, K, h, w) in mixed precision: a GPU's half, or bfloat16 where a CPU is fast in it.

    Args:
        decoder: in float32.
        levels: (T, h, w, C) float32 each; the context, which comes last, it does not read.
        scores: (T, K, h, w).
    """
    read = [level.permute(0, 3, 1, 2) for level in levels[: len(WIDTHS)]]
    with mixed_precision(scores.device):
        logits: Tensor = decoder(read, scores)
    return logits.float()


def at_pixels(logits: Tensor, pyramid: Pyramid) -> Tensor:
    """(T, K, H, W), of logits (T, K, h, w) at the finest stride."""
    rows, columns = (torch.from_numpy(m).to(logits.device) for m in pyramid.finest_to_pixels)
    return rows @ logits @ columns
