"""Whether a network, an RNN and a preset go together: told before anything heavy runs."""

from __future__ import annotations

from pathlib import Path

from vostool.adapter import Preset
from vostool.backbones import DEFAULT, weights_fingerprint
from vostool.errors import AdapterError, WeightsError
from vostool.store import READS as STAGES
from vostool.weights import READS, find_weights, read_facts


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
    fingerprint = weights_fingerprint(network, weights)
    if "context" in STAGES[preset.features]:
        check_reads(find_weights(model), fingerprint, network)
    if preset.decoder:
        from vostool.decoder.labelling import reads

        check_decoder(reads(), fingerprint, network)


def check_reads(rnn: Path, fingerprint: str | None, of: str) -> None:
    """Make sure that an RNN was trained for the features it is to run over.

    Args:
        rnn: its weights.
        fingerprint: of the backbone's weights.
        of: whose features they are, for the message.

    Raises:
        WeightsError: it was trained for other ones.
    """
    if read_facts(rnn).get(READS) != fingerprint:
        raise WeightsError(
            f"{rnn}: trained for other features than those of {of}; the shipped RNN reads the "
            "default backbone's; train one with vostool train --backbone, or do without: "
            "--preset paper --features backbone"
        )


def check_decoder(read: str, fingerprint: str | None, of: str) -> None:
    """Make sure that the decoder was trained for the features it is to read.

    Args:
        read: the fingerprint of the weights whose features it reads.
        fingerprint: of the backbone's weights.
        of: whose features they are, for the message.

    Raises:
        AdapterError: it was trained for other ones.
    """
    if read != fingerprint:
        raise AdapterError(
            f"{of}: the decoder reads the features of {DEFAULT}, these are others; "
            f"use --preset paper, or run vostool extract again with {DEFAULT}"
        )
