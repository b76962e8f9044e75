"""From an adapter and stored features to masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vostool.adapter import Adapter
from vostool.clips import Clip, open_clip
from vostool.errors import AdapterError, ClipError
from vostool.masks import Mask
from vostool.pipeline.labelling import averaged, find_labeller
from vostool.pipeline.making import ahead
from vostool.store import Readable, Stamp


def predict(
    adapter: Adapter, stage: Readable, *, device: str = "auto"
) -> Iterator[tuple[int, Mask]]:
    """Masks of every frame, in order: the frame's number and (H, W) uint8.

    Args:
        adapter: the classifier, with the preset that it was fitted under.
        stage: the features.
        device: where the decoder runs, if the preset has it.

    Raises:
        AdapterError: the adapter belongs to other features.
        StoreError: a chunk is damaged, or the stage was made anew meanwhile.
    """
    check_belongs(adapter, stage)
    labeller = find_labeller(stage, adapter.preset, adapter.W, adapter.object_ids, device)
    chunks = stage.by_chunk()
    # The decoder keeps all cores busy, and on them a thread that reads would hold it up.
    for start, chunk in chunks if adapter.preset.decoder else ahead(chunks):
        yield from enumerate(labeller.masks(chunk), start)
    stage.check_unchanged()


def predict_together(
    fitted: Sequence[tuple[Adapter, Readable]], *, device: str = "auto"
) -> Iterator[tuple[int, Mask]]:
    """Masks of every frame by the average of several models' scores (§2.1, footnote).

    Args:
        fitted: adapters of the same objects, each with its features of the same clip.
        device: where the decoder runs, if the presets have it.

    Raises:
        AdapterError: an adapter belongs to other features, or they do not go together.
        StoreError: a chunk is damaged, or a stage was made anew meanwhile.
    """
    for adapter, stage in fitted:
        check_belongs(adapter, stage)
    check_go_together(fitted)
    first = fitted[0][0]
    labellers = [
        find_labeller(stage, adapter.preset, adapter.W, adapter.object_ids, device)
        for adapter, stage in fitted
    ]
    for chunks in zip(*(stage.by_chunk() for _, stage in fitted), strict=True):
        features = [read for _, read in chunks]
        yield from enumerate(averaged(labellers, features, first.object_ids), chunks[0][0])
    for _, stage in fitted:
        stage.check_unchanged()


def check_go_together(fitted: Sequence[tuple[Adapter, Readable]]) -> None:
    """Make sure that several adapters' scores can be averaged.

    Raises:
        AdapterError: they are of other objects, or of other frames, or some read the decoder.
    """
    (first, stage), *others = fitted
    for adapter, other in others:
        if adapter.object_ids != first.object_ids:
            ours, theirs = (", ".join(map(str, a.object_ids[1:])) for a in (first, adapter))
            raise AdapterError(
                f"the adapters are of other objects ({ours} and {theirs}); fit both to the same "
                "scribbles"
            )
        if _frames_of(other) != _frames_of(stage):
            raise AdapterError(
                f"the adapters are of other frames ({stage.clip_name} by {stage.network}, "
                f"{other.clip_name} by {other.network}); extract the same clip with both networks"
            )
        if adapter.preset.decoder != first.preset.decoder:
            raise AdapterError(
                "one adapter makes masks with the decoder, one without; "
                "fit both with --preset paper"
            )


def _frames_of(stage: Readable) -> tuple[object, ...]:
    facts = stage.facts
    return stage.clip_name, stage.frames, facts.size, facts.start, facts.stop


def check_belongs(adapter: Adapter, stage: Readable) -> None:
    """Make sure that an adapter can read a stage's features.

    Raises:
        AdapterError: it was fitted on another network's features, another clip size, or both.
    """
    provenance = adapter.provenance
    if provenance.size != stage.facts.size:
        theirs, ours = provenance.size, stage.facts.size
        raise AdapterError(
            f"the adapter was fitted on a clip of {theirs[1]}x{theirs[0]}, {stage.clip_name} is "
            f"{ours[1]}x{ours[0]}; fit one on {stage.clip_name}"
        )
    if provenance.stage != stage.name or provenance.stage_key != stage.stamp.key:
        why = stage.stamp.difference(Stamp(provenance.made_from)) or "another stage"
        raise AdapterError(
            f"the adapter of {provenance.clip} was fitted on other {provenance.stage} features "
            f"({why}); fit it again with: vostool adapt {stage.clip_name}"
        )


def source_of(stage: Readable) -> Clip:
    """The clip that features were made of.

    Raises:
        ClipError: it is not where it was.
    """
    facts = stage.facts
    try:
        return open_clip(facts.source, name=stage.clip_name, frames=(facts.start, facts.stop))
    except ClipError as problem:
        raise ClipError(
            f"{problem}; its frames are needed: run vostool extract on the clip where it lies now"
        ) from problem
