"""What each part of the identity in time is worth, over rounds of the interactive benchmark.

    python tools/ablate.py --davis-root SCENES --row "looks alone" --row all

Prints a Markdown table, a row a variant of the preset ``default``: J&F after rounds 1, 3 and 8, the
most that a sequence lost from a round to the next, identity switches after rounds 1 and 8 (an
object's mask in a frame covers another object more than its own), J&F on annotated frames and on
those within 3 of them after the last round, and seconds a round. One first round a sequence is
played. Nothing is chosen on ``val``: give it composed scenes (``tools/compose.py``), and with
``--every 5 --subset train`` the training sequences that were held back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import numpy.typing as npt

SHOWN = (1, 3, 8)
NEAR = 3
"""Frames within which an annotated frame's neighbours lie."""
ROWS = ("classifier", "looks alone", "identity", "identity, strokes", "all")
"""The ridge classifier without the decoder; the decoder, all objects decided together, without what
was carried and without strokes; with what was carried; with strokes too; with what earlier
annotated frames say of later ones, too. The last is the preset."""

KINDS = ("object", "background", "random")
"""Of samples: on a stroke on an object, on one on background, and background drawn at random."""


@dataclass(frozen=True)
class Played:
    """One sample.

    Attributes:
        scores: (rounds,) J&F.
        switches: (rounds,) objects and frames that are taken for another.
        annotated, near: J&F of the last round on annotated frames, and within ``NEAR`` of them.
        seconds: of a round.
    """

    scores: list[float]
    switches: list[int]
    annotated: float
    near: float
    seconds: float


@click.command()
@click.option("--davis-root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--subset", default=None)
@click.option("--scribbles", default="Scribbles", show_default=True)
@click.option("--every", default=1, show_default=True, help="Take every n-th sequence.")
@click.option("--rounds", default=8, show_default=True)
@click.option("--row", "rows", type=click.Choice(ROWS), multiple=True, default=ROWS)
@click.option("--backbone", default="efficientnet-lite0", show_default=True)
@click.option("--features", help="What the classifier reads; by default the preset's choice.")
@click.option("--ridge", type=float, help="λ; by default the preset's.")
@click.option("--decoder", type=click.Path(exists=True, path_type=Path), help="Other weights.")
@click.option("--model", help="The RNN's weights, where context is read.")
@click.option(
    "--weight",
    "weighed",
    type=(click.Choice(KINDS), float),
    multiple=True,
    help="What a sample of a kind counts in the classifier's fit; 1 as it is.",
)
@click.option("--height", default=480, show_default=True, help="Of frames, to the network.")
@click.option("--jobs", default=1, show_default=True)
@click.option("--sequences", "each", is_flag=True, help="A line a sequence, too.")
@click.option("--store", default=Path("vostool-store"), type=click.Path(path_type=Path))
def main(
    davis_root: Path,
    subset: str | None,
    scribbles: str,
    every: int,
    rounds: int,
    rows: tuple[str, ...],
    backbone: str,
    features: str | None,
    ridge: float | None,
    decoder: Path | None,
    model: str | None,
    weighed: tuple[tuple[str, float], ...],
    height: int,
    jobs: int,
    each: bool,
    store: Path,
) -> None:
    """Print the table."""
    from vostool.davis.root import read_root
    from vostool.opening import Settings
    from vostool.pipeline.preparation import Model
    from vostool.pipeline.progress import say

    sequences = read_root(davis_root, subset=subset, scribbles=scribbles, say=say)[::every]
    preset = Settings.of(backbone=backbone, features=features).preset
    if ridge is not None:
        preset = replace(preset, ridge=ridge)
    whole = Model(backbone) if model is None else Model(backbone, rnn=model)
    shown = [n for n in SHOWN if n <= rounds]
    heads = [*(f"J&F {n}" for n in shown), "most lost", *(f"switches {n}" for n in shown)]
    heads += ["annotated", f"within {NEAR}", "s a round"]
    click.echo(f"| | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for row in rows:
            played = list(
                pool.map(
                    partial(
                        play, row, preset, whole, decoder, dict(weighed), rounds, height, store
                    ),
                    sequences,
                )
            )
            if each:
                for sequence, one in zip(sequences, played, strict=True):
                    click.echo(f"{sequence.name}: {_figures([one], shown)}", err=True)
            click.echo(f"| {row} | {_figures(played, shown)} |")


def _figures(played: Sequence[Played], shown: Sequence[int]) -> str:
    scores = np.array([one.scores for one in played])
    switches = np.array([one.switches for one in played]).sum(axis=0)
    lost = max(0.0, float((scores[:, :-1] - scores[:, 1:]).max(initial=0.0)))
    near = [np.nanmean([getattr(one, name) for one in played]) for name in ("annotated", "near")]
    return " | ".join(
        [
            *(f"{scores[:, n - 1].mean():.3f}" for n in shown),
            f"{lost:.3f}",
            *(str(switches[n - 1]) for n in shown),
            *(f"{score:.3f}" for score in near),
            f"{np.mean([one.seconds for one in played]):.1f}",
        ]
    )


def play(
    row: str,
    preset: Any,
    model: Any,
    weights: Path | None,
    weighed: dict[str, float],
    rounds: int,
    height: int,
    store: Path,
    sequence: Any,
) -> Played:
    """One sample, through the real session, service and robot."""
    from vostool.davis.metrics import f_measure, jaccard
    from vostool.davis.session import Protocol, run_sample
    from vostool.pipeline.preparation import prepare
    from vostool.pipeline.progress import progress_bar, say
    from vostool.session import Session
    from vostool.store import FeatureStore

    preset = replace(preset, decoder=row != "classifier")
    stored = FeatureStore(store).clip(sequence.name)
    prepare(
        sequence.clip,
        stored,
        model,
        preset if weights is None else replace(preset, decoder=False),
        bar=progress_bar,
        say=say,
        network_height=height,
    )
    session = Session(
        [stored.features(model.backbone, preset.features)],
        preset=preset,
        find_predictor=partial(find_predictor, row, model.backbone, weights, weighed),
    )
    truth, ids = sequence.truth(), list(range(1, sequence.objects + 1))
    masks: npt.NDArray[np.uint8] = np.zeros_like(truth)
    scores, switches, annotated, seconds = [], [], set[int](), []
    either = np.zeros(len(truth))

    def segment(scribbles: Any) -> npt.NDArray[np.uint8]:
        nonlocal masks, either
        begun = time.perf_counter()
        if scribbles.annotated_frames:
            annotated.update(scribbles.annotated_frames)
            session.add_scribbles(scribbles, previous_masks=dict(enumerate(masks)))
            masks = np.stack([mask for _, mask in session.masks()]).astype(np.uint8)
        seconds.append(time.perf_counter() - begun)
        either = (jaccard(truth, masks, ids) + f_measure(truth, masks, ids)).mean(axis=1) / 2
        scores.append(float(either.mean()))
        switches.append(identity_switches(truth, masks, ids))
        return masks

    with TemporaryDirectory() as scratch:
        run_sample(sequence, 1, segment, Protocol(rounds, seconds=3600), Path(scratch))
    distance = np.min([np.abs(np.arange(len(truth)) - frame) for frame in annotated], axis=0)
    near = either[(distance > 0) & (distance <= NEAR)]
    return Played(
        scores,
        switches,
        float(either[distance == 0].mean()),
        float(near.mean()) if len(near) else float("nan"),
        float(np.mean(seconds)),
    )


def identity_switches(
    truth: npt.NDArray[np.uint8], predicted: npt.NDArray[np.uint8], object_ids: Sequence[int]
) -> int:
    """In how many frames an object's mask covers another object more than its own, over objects."""
    switches = 0
    for number, object_id in enumerate(object_ids):
        inside = predicted == object_id
        covered = np.stack([(inside & (truth == other)).sum(axis=(1, 2)) for other in object_ids])
        switches += int((covered.max(axis=0) > covered[number]).sum())
    return switches


def find_predictor(
    row: str,
    backbone: str,
    weights: Path | None,
    weighed: dict[str, float],
    reader: Any,
    preset: Any,
    device: str,
) -> Any:
    """What makes masks in a row of the table."""
    fit = find_fit(row, backbone, weights, reader, preset, device)
    return (lambda adapter: fit(reweighed(adapter, reader, weighed))) if weighed else fit


def reweighed(adapter: Any, reader: Any, weighed: dict[str, float]) -> Any:
    """An adapter of one clip, fitted anew with weights of its samples."""
    from vostool.adapter import SufficientStatistics, solve
    from vostool.scribbles import UNMARKED

    (clip,) = adapter.clips
    statistics = SufficientStatistics.empty(reader.pyramid.channels)
    for frame in np.unique(clip.samples.frame).tolist():
        here = clip.samples.within(frame)
        drawn = clip.strokes.stroke_map(frame, clip.size)[here.y, here.x] != UNMARKED
        x = reader.pyramid.sample(reader.read_frame(frame), here.xy)
        kinds = np.where(here.object_id > 0, "object", np.where(drawn, "background", "random"))
        for kind in KINDS:
            chosen, weight = kinds == kind, weighed.get(kind, 1.0)
            part = SufficientStatistics.of(x[chosen], here.object_id[chosen])
            statistics += replace(part, sums=weight * part.sums, gram=weight * part.gram)
    return replace(adapter, W=solve(statistics, adapter.preset.ridge))


def find_fit(
    row: str, backbone: str, weights: Path | None, reader: Any, preset: Any, device: str
) -> Any:
    """What makes masks of an adapter in a row of the table."""
    if row == "classifier":
        from vostool.pipeline import predictors

        return predictors.find_predictor(reader, preset, device)
    from vostool.decoder.clip import DecoderClip
    from vostool.decoder.compiled import compiled
    from vostool.decoder.predictor import DecoderPredictor
    from vostool.decoder.torch_networks import TorchNetworks
    from vostool.pipeline.compatibility import find_decoder
    from vostool.training.recipes.decoder import begin_from, new_decoder
    from vostool.weights import find_weights

    class Ablated(DecoderPredictor[Any, Any]):
        def _inputs(self, frames: Any, features: Any, priors: Any) -> Any:
            if row == "looks alone":
                priors = [None for _ in priors]
            elif row != "all" and frames[0] in self._annotated:
                priors = [None if frame in self._annotated else prior
                          for frame, prior in zip(frames, priors, strict=True)]  # fmt: skip
            return super()._inputs(frames, features, priors)

        def _stroke_maps(self, frame: int) -> Any:
            maps = super()._stroke_maps(frame)
            return maps if row in ("identity, strokes", "all") else np.zeros_like(maps)

    if weights is None:
        shipped = find_decoder(reader.cache_key.made_from.get("weights"), reader.clip_name)
        return partial(Ablated, DecoderClip(reader, compiled(find_weights(shipped))))
    decoder = new_decoder(backbone=backbone)
    begin_from(decoder, weights)  # which may have known fewer features
    return partial(Ablated, DecoderClip(reader, TorchNetworks(decoder.eval())))


if __name__ == "__main__":
    main()
