"""From adapters and stored features to masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vostool.adapter import Adapter
from vostool.clips import Clip, open_clip
from vostool.errors import ClipError, ImageError
from vostool.images import Frame, Probabilities
from vostool.masks import Mask, argmax_mask, probabilities_of
from vostool.pipeline.predictors import (
    MaskPredictor,
    Scores,
    average_masks,
    average_scores,
    sure_mask,
)
from vostool.pipeline.runtime import ahead
from vostool.reading import Reading
from vostool.store import FeatureReader, Features


@dataclass(frozen=True)
class Fitted:
    """A model that has been fitted to scribbles, ready to make masks.

    Attributes:
        adapter: its classifier.
        reader: the features that it reads.
        predictor: what makes masks of them.
    """

    adapter: Adapter
    reader: FeatureReader
    predictor: MaskPredictor


def predict_frame(models: Sequence[Fitted], frame: int) -> Mask:
    """The mask (H, W) of one frame; of several models, by the average of their scores.

    Raises:
        StoreError: a chunk is damaged.
    """
    features = [[level[None] for level in model.reader.read_frame(frame)] for model in models]
    if len(models) == 1:
        masks = models[0].predictor.masks(frame, features[0])
    else:
        predictors = [model.predictor for model in models]
        masks = average_masks(predictors, frame, features, models[0].adapter.object_ids)
    return np.asarray(masks[0])


def predict_sure(models: Sequence[Fitted], frame: int) -> tuple[Mask, float]:
    """The mask (H, W) of one frame, and how sure it is: see :func:`vostool.masks.confidence`.

    Raises:
        StoreError: a chunk is damaged.
    """
    features = [[level[None] for level in model.reader.read_frame(frame)] for model in models]
    if len(models) == 1:
        return models[0].predictor.sure_mask(frame, features[0])
    predictors = [model.predictor for model in models]
    return sure_mask(average_scores(predictors, frame, features)[0], models[0].adapter.object_ids)


def predict_outwards(models: Sequence[Fitted], first: int) -> Iterator[tuple[int, Mask]]:
    """Masks of every frame, those nearest to one first: the frame's number and (H, W) uint8.

    Args:
        models: as :func:`predict` takes them.
        first: the frame that is looked at.

    Raises:
        StoreError: a chunk is damaged, or a stage was made anew meanwhile.
    """
    for frame in outwards(first, models[0].reader.frames):
        yield frame, predict_frame(models, frame)
    for model in models:
        model.reader.check_unchanged()


def outwards(first: int, frames: int) -> list[int]:
    """The numbers of a clip's frames, those nearest to one first, and of two the later one."""
    return sorted(range(frames), key=lambda frame: (abs(frame - first), frame < first))


def predict(models: Sequence[Fitted]) -> Iterator[tuple[int, Mask]]:
    """Masks of every frame, in order: the frame's number and (H, W) uint8.

    Args:
        models: one; or several of the same objects and clip, whose scores are averaged (§2.1,
            footnote).

    Raises:
        StoreError: a chunk is damaged, or a stage was made anew meanwhile.
    """
    first = models[0]
    if len(models) == 1:
        chunks = first.reader.by_chunk()
        # The decoder keeps all cores busy, and on them a thread that reads would hold it up.
        for start, chunk in chunks if first.adapter.preset.decoder else ahead(chunks):
            yield from enumerate(first.predictor.masks(start, chunk), start)
    else:
        predictors = [model.predictor for model in models]
        for parts in zip(*(model.reader.by_chunk() for model in models), strict=True):
            features = [read for _, read in parts]
            start = parts[0][0]
            masks = average_masks(predictors, start, features, first.adapter.object_ids)
            yield from enumerate(masks, start)
    for model in models:
        model.reader.check_unchanged()


def predict_with_probabilities(
    models: Sequence[Fitted],
) -> Iterator[tuple[int, Mask, Probabilities]]:
    """Masks of every frame, in order, each with the probabilities (K + 1, H, W) that decided it.

    They come one frame at a time, for they are large.

    Args:
        models: as :func:`predict` takes them, each with a decoder.

    Raises:
        StoreError: a chunk is damaged, or a stage was made anew meanwhile.
    """
    for parts in zip(*(model.reader.by_chunk() for model in models), strict=True):
        start = parts[0][0]
        for frame, (mask, scores) in enumerate(_masks_with_scores(models, parts), start):
            yield frame, mask, probabilities_of(scores)
    for model in models:
        model.reader.check_unchanged()


def _masks_with_scores(
    models: Sequence[Fitted], parts: Sequence[tuple[int, Features]]
) -> Iterator[tuple[Mask, Scores]]:
    """Of a chunk, each model's first frame and features."""
    start, features = parts[0]
    if len(models) == 1:
        yield from models[0].predictor.masks_with_scores(start, features)
        return
    predictors = [model.predictor for model in models]
    for scores in average_scores(predictors, start, [read for _, read in parts]):
        yield argmax_mask(scores, models[0].adapter.object_ids[1:]), scores


def source_clip(reader: FeatureReader) -> Clip:
    """The clip that features were made of.

    Raises:
        ClipError: it is not where it was, or its frames are others.
    """
    metadata = reader.metadata
    try:
        clip = open_clip(
            metadata.source, name=reader.clip_name, frames=(metadata.start, metadata.stop),
            reading=Reading.from_dict(metadata.reading),
        )  # fmt: skip
        if clip.fingerprint != metadata.fingerprint:
            raise ClipError(f"{metadata.source}: has other frames than its features were made of")
        return clip
    except (ClipError, ImageError) as problem:
        raise ClipError(
            f"{problem}; its frames are needed: run vostool extract on the clip where it lies now"
        ) from problem


def source_frames(clip: Clip, reader: FeatureReader, start: int = 0) -> Iterator[Frame]:
    """The frames that features were made of, from one on.

    Args:
        clip: by :func:`source_clip`.
        reader: the features.
        start: the first frame.

    Raises:
        ClipError: the clip has other frames than it had.
    """
    number = start
    for frame in clip.frames(start):
        if number == reader.frames or frame.shape[:2] != reader.metadata.size:
            break
        yield frame
        number += 1
    if number < reader.frames:
        raise ClipError(
            f"{reader.metadata.source}: has other frames than when its features were made; "
            "run vostool extract on it again"
        )
