"""From stored features and scribbles to an adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vostool import __version__
from vostool.adapter import (
    Adapter,
    Moments,
    Preset,
    Provenance,
    Samples,
    sample_round,
    scribbled_pixels,
    solve,
)
from vostool.errors import AdapterError
from vostool.masks import Mask
from vostool.pipeline.labelling import find_labeller
from vostool.pipeline.masking import check_belongs
from vostool.scribbles import Scribbles
from vostool.store import FeatureStore


def adapt(
    name: str,
    store: FeatureStore,
    rounds: list[Scribbles],
    *,
    preset: Preset,
    features: str | None = None,
    earlier: Adapter | None = None,
    shown: Mapping[int, Mask] | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Adapter:
    """Fit the classifier of Eq. 3 to some rounds of scribbles, after those of an earlier adapter.

    Args:
        name: the clip's name in the store.
        store: the features.
        rounds: the new scribbles, a round each, in order.
        preset: how to sample and fit; an earlier adapter's samples keep theirs.
        features: the stage to read; by default the earlier adapter's, or else the preset's.
        earlier: the adapter to go on from.
        shown: the masks that the first of the new rounds corrects, by frame; by default those that
            the earlier adapter makes. Where several models' scores are averaged, theirs.
        seed: of the random choice of negatives.
        device: where the preset's decoder runs, which makes the masks that a later round corrects.

    Raises:
        StoreError: the features are missing.
        ScribbleError: the scribbles are not this clip's.
        AdapterError: the earlier adapter belongs to other features, the masks shown to another
            clip, or there is nothing to tell apart.
    """
    if earlier is not None:
        store = replace(store, network=earlier.provenance.network)
    if features is None:
        features = preset.features if earlier is None else earlier.provenance.stage
    stage = store.features(name, features)
    samples, strokes = Samples.none(), Samples.none()
    moments = Moments.none(stage.pyramid.channels)
    if earlier is not None:
        check_belongs(earlier, stage)
        samples, strokes, moments = earlier.samples, earlier.strokes, earlier.moments
    W = None if earlier is None else earlier.W
    for scribbles in rounds:
        scribbles.check_against(stage.frames, stage.facts.size)
        annotated = {f: stage.read_frame(f) for f in scribbles.annotated_frames}
        predicted = {}
        if shown is not None:
            predicted, shown = {f: shown[f] for f in annotated}, None
            for f, mask in predicted.items():
                if mask.shape != stage.facts.size:
                    raise AdapterError(
                        f"the mask shown of frame {f} is {mask.shape[1]}x{mask.shape[0]}, the clip "
                        f"is {stage.facts.size[1]}x{stage.facts.size[0]}; give those of this clip"
                    )
        elif W is not None:
            labeller = find_labeller(stage, preset, W, moments.object_ids, device)
            predicted = {
                f: labeller.masks([grid[None] for grid in grids])[0]
                for f, grids in annotated.items()
            }
        maps = {f: scribbles.stroke_map(f, stage.facts.size) for f in annotated}
        scale = stage.facts.size[0] / stage.pyramid.network_size[0]
        new = sample_round(maps, predicted, samples, preset, seed, scale=scale)
        for frame, grids in annotated.items():
            here = new.within(frame)
            moments = moments.plus(stage.pyramid.sample(grids, here.xy), here.object_id)
        samples = Samples.joined([samples, new])
        number = int(strokes.round.max(initial=0)) + 1
        strokes = Samples.joined([strokes, scribbled_pixels(maps, number)])
        try:
            W = solve(moments, preset.ridge)
        except AdapterError as problem:
            raise AdapterError(f"{scribbles.source}: {problem}") from problem
    if W is None:
        raise AdapterError("no scribbles; give at least one round")
    return Adapter(
        W,
        moments,
        samples,
        strokes,
        preset,
        Provenance(
            clip=name,
            network=store.network,
            stage=features,
            stage_key=stage.stamp.key,
            made_from=stage.stamp.made_from,
            size=stage.facts.size,
            scribbles=(
                *(() if earlier is None else earlier.provenance.scribbles),
                *(scribbles.source for scribbles in rounds),
            ),
            seed=seed,
            version=__version__,
        ),
    )
