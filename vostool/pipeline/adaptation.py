"""From stored features and a round of scribbles to an adapter: the one fitting loop."""

from __future__ import annotations

from collections.abc import Mapping

from vostool.adapter import (
    Adapter,
    LearntClip,
    Lesson,
    Provenance,
    Samples,
    SufficientStatistics,
    fit,
    sample_round,
    scribbled_pixels,
)
from vostool.errors import AdapterError
from vostool.masks import Mask
from vostool.presets import Preset
from vostool.scribbles import Scribbles
from vostool.store import FeatureReader
from vostool.version import __version__


def fit_round(
    reader: FeatureReader,
    scribbles: Scribbles,
    *,
    preset: Preset,
    resume_from: Adapter | None = None,
    previous_masks: Mapping[int, Mask] | None = None,
    seed: int = 0,
) -> Adapter:
    """Fit the classifier of Eq. 3 to a round of scribbles, after those of an earlier adapter.

    Args:
        reader: the features.
        scribbles: the new strokes.
        preset: how to sample and fit.
        resume_from: the adapter of the rounds before, on this clip or others; its samples are all
            kept.
        previous_masks: of the annotated frames, by frame: the masks that these strokes correct.
        seed: of the random choice of negatives.

    Raises:
        ScribbleError: the scribbles are not this clip's.
        AdapterError: a previous mask is of another size, or there is nothing to tell apart.
        StoreError: the features are damaged.
    """
    lesson = learn_round(
        reader, scribbles, preset=preset, earlier=resume_from, previous_masks=previous_masks,
        seed=seed,
    )  # fmt: skip
    return fit([lesson], resume_from)


def learn_round(
    reader: FeatureReader,
    scribbles: Scribbles,
    *,
    preset: Preset,
    earlier: Adapter | None = None,
    previous_masks: Mapping[int, Mask] | None = None,
    seed: int = 0,
) -> Lesson:
    """What a round of scribbles on a clip teaches: for :func:`vostool.adapter.fit` to add up.

    Args:
        reader: the features.
        scribbles: the new strokes.
        preset: how to sample and fit.
        earlier: the adapter of the rounds before, on this clip or others; it reads the same
            features.
        previous_masks: of the annotated frames, by frame: the masks that these strokes correct.
        seed: of the random choice of negatives.

    Raises:
        ScribbleError: the scribbles are not this clip's.
        AdapterError: a previous mask is of another size.
        StoreError: the features are damaged.
    """
    size, key = reader.metadata.size, reader.cache_key.digest
    scribbles.check_against(reader.frames, size)
    annotated = scribbles.annotated_frames
    predicted = {frame: previous_masks[frame] for frame in annotated} if previous_masks else {}
    for frame, mask in predicted.items():
        if mask.shape != size:
            raise AdapterError(
                f"the previous mask of frame {frame} is {mask.shape[1]}x{mask.shape[0]}, the clip "
                f"is {size[1]}x{size[0]}; give those of this clip"
            )
    before = None if earlier is None else earlier.learnt_from(key)
    maps = {frame: scribbles.stroke_map(frame, size) for frame in annotated}
    samples = sample_round(
        maps, predicted, Samples.empty() if before is None else before.samples, preset, seed,
        known=() if earlier is None else earlier.object_ids,
        scale=size[0] / reader.pyramid.network_size[0],
    )  # fmt: skip
    statistics = SufficientStatistics.empty(reader.pyramid.channels)
    for frame in annotated:
        here = samples.within(frame)
        features = reader.pyramid.sample(reader.read_frame(frame), here.xy)
        statistics += SufficientStatistics.of(features, here.object_id)
    reader.check_unchanged()
    number = 1 if before is None else int(before.strokes.round.max(initial=0)) + 1
    strokes = scribbled_pixels(maps, number)
    origin = Provenance(reader.network, reader.kind, reader.networks, seed, __version__)
    return Lesson(
        LearntClip(reader.clip_name, key, size, (scribbles.source,), samples, strokes),
        statistics,
        preset,
        origin if earlier is None else earlier.provenance,
    )
