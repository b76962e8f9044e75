"""Whether parts go together, told before anything heavy runs: networks, presets, adapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vostool.adapter import Adapter
from vostool.backbones import DEFAULT, find_network
from vostool.checkpoints import TRAINED_ON, read_metadata
from vostool.decoder import WEIGHTS as DECODER
from vostool.errors import AdapterError, WeightsError
from vostool.presets import Preset
from vostool.store import STAGES_OF, CacheKey, FeatureReader, StoredClip
from vostool.weights import find_weights, shipped


def check_models(preset: Preset, network: str, weights: str | None, model: str) -> None:
    """Make sure that a preset's networks were trained for a backbone's features.

    Args:
        preset: tells whether the RNN and the decoder are used.
        network: the backbone.
        weights: its weights: a file, ``random``, or None to look where they are kept.
        model: the RNN's weights, by the name of shipped ones or a file.

    Raises:
        WeightsError: the RNN was trained for other features, or weights are missing.
        AdapterError: the decoder was.
    """
    fingerprint = find_network(network).fingerprint(weights)
    if "context" in STAGES_OF[preset.features]:
        check_rnn(find_weights(model), fingerprint, network)
    if preset.decoder:
        find_decoder(fingerprint, network)


def check_rnn(rnn: Path, fingerprint: str | None, of: str) -> None:
    """Make sure that an RNN was trained for the features it is to run over.

    Args:
        rnn: its weights.
        fingerprint: of the backbone's weights.
        of: whose features they are, for the message.

    Raises:
        WeightsError: it was trained for other ones.
    """
    if read_metadata(rnn).get(TRAINED_ON) != fingerprint:
        raise WeightsError(
            f"{rnn}: trained for other features than those of {of}; the shipped RNN reads the "
            "default backbone's; train one with vostool train --backbone, or do without: "
            "--preset paper --features backbone"
        )


def find_decoder(fingerprint: str | None, of: str) -> str:
    """The name of the shipped decoder that was trained for some features.

    Args:
        fingerprint: of the backbone's weights.
        of: whose features they are, for the message.

    Raises:
        AdapterError: none was.
    """
    for name in shipped():
        ours = name == DECODER or name.startswith(f"{DECODER}-")
        if ours and read_metadata(find_weights(name)).get(TRAINED_ON, "") == fingerprint:
            return name
    raise AdapterError(
        f"{of}: no decoder reads these features; use --preset paper, or run vostool extract again "
        f"with {DEFAULT}"
    )


def features_for(adapter: Adapter, stored: StoredClip) -> FeatureReader:
    """The features of a clip that an adapter reads.

    Raises:
        MissingStageError: they are not in the store.
        BrokenStageError: they are not whole.
        AdapterError: it cannot read them.
    """
    reader = stored.features(adapter.provenance.network, adapter.provenance.features)
    check_belongs(adapter, reader)
    return reader


def check_belongs(adapter: Adapter, reader: FeatureReader) -> None:
    """Make sure that an adapter can read some features: of a clip that it learnt from, or another.

    Raises:
        AdapterError: it was fitted on other networks' features, or on another clip of this one's
            name, or has strokes on frames that the clip does not have.
    """
    provenance, clip = adapter.provenance, reader.clip_name
    learnt = adapter.learnt_from(reader.cache_key.digest)
    if provenance.features != reader.kind or (
        learnt is None and provenance.networks != reader.networks
    ):
        why = _difference(provenance.networks, reader.networks) or "another stage"
        raise AdapterError(
            f"the adapter of {adapter.names} was fitted on other {provenance.features} features "
            f"({why}); fit it again with: vostool adapt {clip}"
        )
    if learnt is None:
        if clip in [one.name for one in adapter.clips]:
            raise AdapterError(
                f"the adapter was fitted on {clip} when its frames were others; fit it again with: "
                f"vostool adapt {clip}, or extract this clip by another --name"
            )
        return
    last = int(learnt.strokes.frame.max(initial=0))
    if last >= reader.frames:
        raise AdapterError(
            f"the adapter of {clip} has strokes on frame {last}, the clip has "
            f"{reader.frames} frames; fit it again with: vostool adapt {clip}"
        )


def _difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Why features were made by other networks than an adapter reads, in a user's words."""
    # A context's backbone is told by its features' digest alone where nothing else is known of it.
    if "features" in ours:
        return "the backbone features that its context was made from are gone"
    if "features" in theirs:
        return "it is of an earlier version, which did not tell the backbone of a context"
    return CacheKey(dict(ours)).difference(CacheKey(dict(theirs)))


def check_go_together(fitted: Sequence[tuple[Adapter, FeatureReader]]) -> None:
    """Make sure that several adapters' scores can be averaged.

    Raises:
        AdapterError: they are of other objects, or of other frames, or some read the decoder.
    """
    (first, reader), *others = fitted
    for adapter, other in others:
        if adapter.object_ids != first.object_ids:
            ours, theirs = (", ".join(map(str, a.object_ids[1:])) for a in (first, adapter))
            raise AdapterError(
                f"the adapters are of other objects ({ours} and {theirs}); fit both to the same "
                "scribbles"
            )
        if _frames_of(other) != _frames_of(reader):
            raise AdapterError(
                f"the adapters are of other frames ({reader.clip_name} by {reader.network}, "
                f"{other.clip_name} by {other.network}); extract the same clip with both networks"
            )
        if adapter.preset.decoder != first.preset.decoder:
            raise AdapterError(
                "one adapter makes masks with the decoder, one without; "
                "fit both with --preset paper"
            )


def _frames_of(reader: FeatureReader) -> tuple[object, ...]:
    metadata = reader.metadata
    return reader.clip_name, reader.frames, metadata.size, metadata.start, metadata.stop
