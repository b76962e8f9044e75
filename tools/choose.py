"""What each departure of the preset ``default`` is worth over rounds, on sequences to choose by.

    python tools/choose.py --davis-root DAVIS --boundary-margin 0 --boundary-margin 6

Prints a Markdown table, a row for each combination: J&F after some rounds of the interactive
benchmark, and the most that a sequence lost from a round to the next. One first round a sequence is
played, on every fifth of the training sequences, which the shipped decoder was not trained on
(``vostool train decoder --hold-back 5``). Nothing is chosen on ``val``.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from vostool.cli.common import one_blas_thread
from vostool.pipeline.progress import progress_bar, say
from vostool.presets import PRESETS

SHOWN = (1, 2, 3, 5, 8)


@click.command()
@click.option("--davis-root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--subset", default="train", show_default=True)
@click.option("--every", default=5, show_default=True, help="Take every n-th sequence.")
@click.option("--ridge", "ridges", type=float, multiple=True, default=[30.0])
@click.option("--boundary-margin", "margins", type=float, multiple=True, default=[6.0])
@click.option(
    "--decoder", "decoders", type=click.Choice(["yes", "no"]), multiple=True, default=["yes"]
)
@click.option(
    "--features",
    type=click.Choice(["backbone", "context", "both"]),
    multiple=True,
    default=["both"],
)
@click.option(
    "--refine",
    "refines",
    type=click.Choice(["none", "last", "every"]),
    multiple=True,
    default=["none"],
)
@click.option("--refiner-weights", help="Of RGMP.  [default: looked for]")
@click.option("--model", default="rnn", show_default=True, help="The RNN's weights.")
@click.option("--jobs", default=1, show_default=True)
@click.option("--store", default=Path("vostool-store"), type=click.Path(path_type=Path))
def main(
    davis_root: Path,
    subset: str,
    every: int,
    ridges: tuple[float, ...],
    margins: tuple[float, ...],
    decoders: tuple[str, ...],
    features: tuple[str, ...],
    refines: tuple[str, ...],
    refiner_weights: str | None,
    model: str,
    jobs: int,
    store: Path,
) -> None:
    """Print the table."""
    one_blas_thread()
    from dataclasses import replace

    from vostool.davis.evaluation import evaluate
    from vostool.davis.method import Method
    from vostool.davis.results import reports, summary_of
    from vostool.davis.root import read_root
    from vostool.davis.session import Protocol
    from vostool.mask_propagation import Refiner
    from vostool.pipeline.preparation import Model

    sequences = [
        replace(sequence, scribbles=sequence.scribbles[:1])
        for sequence in read_root(davis_root, subset=subset)[::every]
    ]
    rounds_shown = " | ".join(f"J&F {n}" for n in SHOWN)
    click.echo(f"| features | decoder | λ | margin | refine | {rounds_shown} | most lost |")
    click.echo("|---|---|---|---|---|" + "---|" * (len(SHOWN) + 1))
    for read, decoder, ridge, margin, refine in product(
        features, decoders, ridges, margins, refines
    ):
        preset = replace(
            PRESETS["default"],
            ridge=ridge, boundary_margin=margin, decoder=decoder == "yes", features=read,
        )  # fmt: skip
        method = Method(
            store, preset, (Model(rnn=model),), refine=refine,
            refiner=Refiner(weights=refiner_weights),
        )  # fmt: skip
        with TemporaryDirectory() as out:
            evaluation = evaluate(
                sequences, method, Protocol(), Path(out),
                jobs=jobs, bar=progress_bar, say=say,
            )  # fmt: skip
        warm, cold = (reports(evaluation, cold=cold) for cold in (False, True))
        summary = summary_of(evaluation, warm, cold)
        scores = [summary["rounds"][n - 1]["j_and_f"] for n in SHOWN]
        lost = max(
            earlier["j_and_f"] - later["j_and_f"]
            for figures in summary["sequences"].values()
            for earlier, later in zip(figures["rounds"], figures["rounds"][1:], strict=False)
        )
        figures = " | ".join(f"{score:.3f}" for score in (*scores, lost))
        click.echo(f"| {read} | {decoder} | {ridge:g} | {margin:g} | {refine} | {figures} |")


if __name__ == "__main__":
    main()
