"""What cleaning masks is worth: J and F on DAVIS with each option, beside without.

    python tools/cleaning.py --davis-root DAVIS --subset val --every 3

Prints a Markdown table, a row an option: the mean over sequences of J and F, after the first round
of scribbles and the preset ``default``, and in how many sequences J&F rises or falls by more than
0.001. Nothing is chosen by it.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from vostool.cleaning import Cleaning
from vostool.cli.common import one_blas_thread
from vostool.davis.root import DavisSequence

ROWS = {
    "none": Cleaning(),
    "--fill-holes": Cleaning(fill_holes=True),
    "--drop-specks": Cleaning(drop_specks=True),
    "--largest": Cleaning(largest=True),
    "--smooth 3": Cleaning(smooth=3),
    "--smooth 5": Cleaning(smooth=5),
    "--smooth 3 --drop-specks --fill-holes": Cleaning(True, True, smooth=3),
}
NOTICED = 0.001


@click.command()
@click.option("--davis-root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--subset", default="val", show_default=True)
@click.option("--scribbles", default="Scribbles", show_default=True)
@click.option("--every", default=1, show_default=True, help="Take every n-th sequence.")
@click.option("--store", default=Path("vostool-store"), type=click.Path(path_type=Path))
def main(davis_root: Path, subset: str, scribbles: str, every: int, store: Path) -> None:
    """Print the table."""
    one_blas_thread()
    from vostool.davis.root import read_root
    from vostool.pipeline.progress import say

    sequences = read_root(davis_root, subset=subset, scribbles=scribbles, say=say)[::every]
    every_score = []
    for sequence in sequences:
        every_score.append(scores_of(sequence, store))
        say(f"{sequence.name}: {' '.join(f'{j_and_f:.3f}' for j_and_f in every_score[-1].mean(1))}")
    scores = np.array(every_score)
    change = scores.mean(axis=2) - scores[:, :1].mean(axis=2)
    click.echo(f"| {len(sequences)} sequences | J | F | J&F | better in | worse in |")
    click.echo("|---|---|---|---|---|---|")
    for number, row in enumerate(ROWS):
        j, f = scores[:, number].mean(axis=0)
        counts = (change[:, number] > NOTICED).sum(), (change[:, number] < -NOTICED).sum()
        figures = f"{j:.4f} | {f:.4f} | {(j + f) / 2:.4f} | {counts[0]} | {counts[1]}"
        click.echo(f"| `{row}` | {figures} |")


def scores_of(sequence: DavisSequence, store: Path) -> npt.NDArray[np.float64]:
    """J and F of a sequence by each row, (rows, 2)."""
    from vostool.davis.metrics import f_measure, jaccard
    from vostool.pipeline.preparation import Model, prepare
    from vostool.pipeline.progress import progress_bar, say
    from vostool.presets import PRESETS
    from vostool.scribbles import parse_scribbles
    from vostool.session import Session
    from vostool.store import FeatureStore

    preset, stored = PRESETS["default"], FeatureStore(store).clip(sequence.name)
    prepare(sequence.clip, stored, Model(), preset, bar=progress_bar, say=say)
    session = Session([stored.features(Model().backbone, preset.features)], preset=preset)
    session.add_scribbles(parse_scribbles(sequence.first_round(1), sequence.name))
    masks, truth = [mask for _, mask in session.masks()], sequence.truth()
    ids = list(range(1, sequence.objects + 1))
    found = []
    for how in ROWS.values():
        cleaned = np.stack(list(how.clean(masks)))
        found.append([measure(truth, cleaned, ids).mean() for measure in (jaccard, f_measure)])
    return np.array(found)


if __name__ == "__main__":
    main()
