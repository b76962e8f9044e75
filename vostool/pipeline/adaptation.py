"""From stored features and a round of scribbles to an adapter: the one fitting loop."""

from __future__ import annotations

from collections.abc import Mapping

from vostool.adapter import (
    Adapter,
    Provenance,
    Samples,
    SufficientStatistics,
    sample_round,
    scribbled_pixels,
    solve,
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
        resume_from: the adapter of the round before; its samples are all kept.
        previous_masks: of the annotated frames, by frame: the masks that these strokes correct.
        seed: of the random choice of negatives.

    Raises:
        ScribbleError: the scribbles are not this clip's.
        AdapterError: a previous mask is of another size, or there is nothing to tell apart.
        StoreError: the features are damaged.
    """
    size = reader.metadata.size
    scribbles.check_against(reader.frames, size)
    annotated = scribbles.annotated_frames
    predicted = {frame: previous_masks[frame] for frame in annotated} if previous_masks else {}
    for frame, mask in predicted.items():
        if mask.shape != size:
            raise AdapterError(
                f"the previous mask of frame {frame} is {mask.shape[1]}x{mask.shape[0]}, the clip "
                f"is {size[1]}x{size[0]}; give those of this clip"
            )
    if resume_from is None:
        samples, strokes = Samples.empty(), Samples.empty()
        statistics = SufficientStatistics.empty(reader.pyramid.channels)
    else:
        samples, strokes = resume_from.samples, resume_from.strokes
        statistics = resume_from.statistics
    maps = {frame: scribbles.stroke_map(frame, size) for frame in annotated}
    scale = size[0] / reader.pyramid.network_size[0]
    new = sample_round(maps, predicted, samples, preset, seed, scale=scale)
    for frame in annotated:
        here = new.within(frame)
        features = reader.pyramid.sample(reader.read_frame(frame), here.xy)
        statistics = statistics.plus(features, here.object_id)
    try:
        W = solve(statistics, preset.ridge)
    except AdapterError as problem:
        raise AdapterError(f"{scribbles.source}: {problem}") from problem
    number = int(strokes.round.max(initial=0)) + 1
    earlier_scribbles = () if resume_from is None else resume_from.provenance.scribbles
    return Adapter(
        W,
        statistics,
        Samples.concat([samples, new]),
        Samples.concat([strokes, scribbled_pixels(maps, number)]),
        preset,
        Provenance(
            clip=reader.clip_name,
            network=reader.network,
            features=reader.kind,
            features_key=reader.cache_key.digest,
            made_from=reader.cache_key.made_from,
            size=size,
            scribbles=(*earlier_scribbles, scribbles.source),
            seed=seed,
            version=__version__,
        ),
    )
