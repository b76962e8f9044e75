"""The stages that depend on the clip alone, as far as a preset needs them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from vostool.backbones import DEFAULT
from vostool.clips import Clip
from vostool.pipeline.compatibility import check_models
from vostool.pipeline.context import RNN, propagate
from vostool.pipeline.extraction import NETWORK_HEIGHT, extract
from vostool.pipeline.progress import Progress, Say
from vostool.presets import Preset
from vostool.store import STAGES_OF, Stage, StoredClip

Bar = Callable[[str], AbstractContextManager[Progress]]
"""Opens a progress bar of frames, by a word on what is done."""


@dataclass(frozen=True)
class Model:
    """One whole model: a backbone and, where the preset reads context, an RNN.

    Attributes:
        backbone: the network.
        weights: its weights: a file, ``random``, or None to look where they are kept.
        rnn: the RNN's weights, by the name of shipped ones or a file.
    """

    backbone: str = DEFAULT
    weights: str | None = None
    rnn: str = RNN


def prepare(
    clip: Clip,
    stored: StoredClip,
    model: Model,
    preset: Preset,
    *,
    bar: Bar,
    say: Say,
    device: str = "auto",
    network_height: int = NETWORK_HEIGHT,
) -> list[Stage]:
    """Extract, and propagate if the preset reads context; what is done already is not done again.

    Args:
        clip: the frames.
        stored: where the features go.
        model: the networks.
        preset: tells what is read.
        bar: shows how far a stage is.
        say: told why features are made again.
        device: where networks run.
        network_height: frames are brought to this for the network, twice as large at most.

    Raises:
        WeightsError: weights are missing, or the RNN was trained for other features.
        AdapterError: the decoder was.
        ClipError: the clip cannot be read as a whole.
        OutputError: the store cannot be written to.
    """
    check_models(preset, model.backbone, model.weights, model.rnn)
    with bar(f"extract {stored.name}") as progress:
        stages = [
            extract(
                clip,
                stored,
                backbone=model.backbone,
                weights=model.weights,
                device=device,
                network_height=network_height,
                progress=progress,
                say=say,
            )
        ]
    if "context" in STAGES_OF[preset.features]:
        with bar(f"propagate {stored.name}") as progress:
            stages.append(
                propagate(
                    stored,
                    backbone=model.backbone,
                    model=model.rnn,
                    device=device,
                    progress=progress,
                    say=say,
                )
            )
    return stages
