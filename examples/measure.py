"""Region overlap J of one round of scribbles on the sequences of a DAVIS root, as a table.

    python examples/measure.py --davis-root DAVIS --subset val

Features are kept in the store, so that a second run with another preset or λ takes seconds. This
is the command behind the README's table of J, and the one by which the presets were chosen (on
``--subset train``). The mean is over all frames of a sequence, the annotated one included.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from vostool import pipeline
from vostool.adapter import PRESETS, Preset
from vostool.cli.common import progress_bar, say
from vostool.clips import open_davis_sequence
from vostool.davis.metrics import jaccard
from vostool.errors import VostoolError
from vostool.masks import mask_file, read_mask
from vostool.scribbles import read_scribbles
from vostool.store import FeatureStore


def measure(
    root: Path, sequence: str, scribbles: str, store: FeatureStore, preset: Preset
) -> float:
    """Mean J of one sequence, over its objects and frames, in 0..1."""
    clip = open_davis_sequence(root, sequence)
    with progress_bar(f"extract {sequence}") as progress:
        stage = pipeline.extract(clip, store, progress=progress)
    rounds = [read_scribbles(root / "Scribbles" / sequence / f"{scribbles}.json")]
    adapter = pipeline.adapt(sequence, store, rounds, preset=preset)
    predicted = np.stack([mask for _, mask in pipeline.predict(adapter, stage)])
    folder = root / "Annotations" / "480p" / sequence
    truth = np.stack([read_mask(mask_file(folder, t)) for t in range(stage.frames)])
    return float(jaccard(truth, predicted, [int(i) for i in np.unique(truth) if i]).mean())


@click.command()
@click.option("--davis-root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--subset", default="val", help="A list in ImageSets/2017: val, train.")
@click.option("--scribbles", default="001", help="The scribble file of each sequence.")
@click.option("--store", default=Path("vostool-store"), type=click.Path(path_type=Path))
@click.option("--preset", "presets", multiple=True, default=["default"], help="May be repeated.")
@click.option("--ridge", type=float, help="Another λ than the preset's.")
@click.option("--every", default=1, help="Take every n-th sequence.")
def main(
    davis_root: Path,
    subset: str,
    scribbles: str,
    store: Path,
    presets: tuple[str, ...],
    ridge: float | None,
    every: int,
) -> None:
    """Print a Markdown table: a row a sequence, a column a preset."""
    chosen = [PRESETS[name] for name in presets]
    if ridge is not None:
        chosen = [replace(preset, ridge=ridge) for preset in chosen]
    sequences = (davis_root / "ImageSets" / "2017" / f"{subset}.txt").read_text().split()[::every]
    click.echo(f"| sequence | {' | '.join(presets)} |\n|---|{'---|' * len(presets)}")
    scores = []
    for sequence in sequences:
        try:
            row = [
                measure(davis_root, sequence, scribbles, FeatureStore(store), preset)
                for preset in chosen
            ]
        except VostoolError as problem:
            say(f"{sequence}: left out: {problem}")
            continue
        scores.append(row)
        click.echo(f"| {sequence} | {' | '.join(f'{j:.3f}' for j in row)} |")
    mean = np.mean(scores, axis=0)
    click.echo(f"| **mean of {len(scores)}** | {' | '.join(f'**{j:.3f}**' for j in mean)} |")


if __name__ == "__main__":
    main()
