"""Rounds of interaction in small: a session on a shot, with a made-up user.

The decoder learns from what it will meet: scores of classifiers that were fitted to a few strokes,
right and wrong ones, and after a few corrections of its own masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.adapter import Adapter
from vostool.backbones import Backbone
from vostool.decoder.clip import DecoderClip
from vostool.decoder.network import Decoder
from vostool.decoder.predictor import DecoderPredictor
from vostool.decoder.torch_networks import TorchNetworks
from vostool.errors import AdapterError
from vostool.pipeline.predictors import Fit
from vostool.presets import PRESETS, Preset
from vostool.pyramid import Pyramid
from vostool.scribbles import Scribbles
from vostool.session import Session
from vostool.store import CacheKey, ClipMetadata, FeatureReader, Features
from vostool.training.data import Shot
from vostool.training.strokes import corrections

SMALLEST_OBJECT = 60
"""Pixels of an object that a user would mark."""
BYSTANDERS = 0.5
"""The share of shots of several objects in which some are not asked for. They are background, like
an object as they are, until a stroke says so; and then it must be believed."""
DONE = 0.98
"""J of the worst frame above which a user has nothing to correct."""
FULL_HEIGHT = 480
"""The height at which λ was chosen. Strokes on a smaller frame have fewer pixels to weigh it."""


@dataclass(frozen=True)
class ShotFeatures:
    """A :class:`vostool.store.FeatureReader` of a shot, in memory, as the store would hold it.

    Attributes:
        features: (T, h, w, C) a level.
        pyramid: their geometry.
    """

    features: Features
    pyramid: Pyramid
    kind: str = "backbone"
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

    @property
    def networks(self) -> dict[str, Any]:
        """No adapter is kept, either."""
        return {}

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
def read_shot(images: npt.NDArray[np.uint8], backbone: Backbone) -> ShotFeatures:
    """Run a backbone over a shot.

    Args:
        images: (T, H, W, 3).
        backbone: the network.
    """
    size = images.shape[1], images.shape[2]
    pyramid = Pyramid(size, size, backbone.levels(*size))
    return ShotFeatures(backbone.features(images), pyramid)


@dataclass(frozen=True)
class Simulation:
    """A shot's objects after some rounds.

    Attributes:
        adapter: the last round's.
        truth: (T, H, W) each pixel's object, by the adapter's ids; 0 is all else.
        annotated: the frames with strokes, in the order in which they were drawn.
    """

    adapter: Adapter
    truth: npt.NDArray[np.uint8]
    annotated: list[int]


def simulate(
    shot: Shot, reader: ShotFeatures, decoder: Decoder, rounds: int, rng: np.random.Generator
) -> Simulation | None:
    """Mark a shot's objects and correct the decoder's masks, on the worst frame each round.

    Args:
        shot: the frames.
        reader: of its frames.
        decoder: makes the masks that are corrected.
        rounds: at most.
        rng: decides the frame that comes first, the strokes and the random background.

    Returns:
        What it came to; None where no object is anywhere large enough to be marked, or nothing can
        be told apart.
    """
    sizes = np.stack([(shot.masks == label).sum(axis=(1, 2)) for label in range(1, 256)], axis=1)
    visible = sizes >= SMALLEST_OBJECT  # (T, labels)
    if not visible.any():
        return None
    frame = int(rng.choice(np.flatnonzero(visible.sum(axis=1) == visible.sum(axis=1).max())))
    marked = np.flatnonzero(visible[frame]) + 1
    if len(marked) > 1 and rng.random() < BYSTANDERS:
        marked = rng.choice(marked, int(rng.integers(1, len(marked))), replace=False)
    truth = np.where(np.isin(shot.masks, marked), shot.masks, 0).astype(np.uint8)

    def trained(reader: FeatureReader, preset: Preset, device: str) -> Fit:
        return partial(DecoderPredictor, DecoderClip(reader, TorchNetworks(decoder)))

    preset = PRESETS["default"]
    session = Session(
        [reader],
        preset=replace(preset, ridge=preset.ridge * reader.pyramid.clip_size[0] / FULL_HEIGHT),
        seed=int(rng.integers(1 << 30)),
        find_predictor=trained,
    )
    masks, annotated = None, list[int]()
    for number in range(1, rounds + 1):
        annotated.append(frame)
        marks = corrections(truth[frame], None if masks is None else masks[frame], rng)
        try:
            session.add_scribbles(
                Scribbles("simulation", {}, {frame: marks}),
                previous_masks=None if masks is None else {frame: masks[frame]},
            )
        except AdapterError:  # nothing to tell apart
            return None
        if number == rounds:
            break
        masks = np.stack([mask for _, mask in session.masks()])
        frame, j = worst_frame(masks, truth)
        if j > DONE:
            break
    truth = np.where(np.isin(truth, session.object_ids), truth, 0).astype(np.uint8)
    return Simulation(session.adapter, truth, list(dict.fromkeys(annotated)))


def worst_frame(masks: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8]) -> tuple[int, float]:
    """The frame of least J, and its J; objects in neither count as right.

    Args:
        masks, truth: (T, H, W), the id of each pixel's object, 0 for background.
    """
    every = []
    for label in np.unique(truth[truth > 0]):
        ours, theirs = masks == label, truth == label
        either = (ours | theirs).sum(axis=(1, 2))
        both = (ours & theirs).sum(axis=(1, 2))
        every.append(np.where(either > 0, both / np.maximum(1, either), 1.0))
    j = np.mean(every, axis=0) if every else np.ones(len(truth))
    return int(np.argmin(j)), float(j.min())


def at_pixels(logits: Tensor, pyramid: Pyramid) -> Tensor:
    """(T, K, H, W), of logits (T, K, h, w) at the finest stride."""
    rows, columns = (torch.from_numpy(m).to(logits.device) for m in pyramid.finest_to_pixels)
    return rows @ logits @ columns
