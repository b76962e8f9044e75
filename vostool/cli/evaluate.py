"""``vostool evaluate``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from vostool.cli import completion
from vostool.cli.common import (
    BACKBONE_HELP,
    chosen_refiner,
    device_option,
    features_option,
    json_option,
    one_blas_thread,
    preset_option,
    print_rows,
    print_table,
    refiner_weights_option,
    seed_option,
    store_option,
)
from vostool.pipeline.progress import progress_bar, say

EPILOG = """\b
Examples:
  vostool evaluate --davis-root DAVIS --out results
  vostool evaluate --davis-root DAVIS --sequences bear,camel --rounds 2 --out quick
  vostool evaluate --davis-root DAVIS --scribbles Scribbles-human --out people
  vostool evaluate --davis-root DAVIS --preset paper --jobs 8 --out paper
  vostool evaluate --davis-root DAVIS --preset paper --features backbone --out raw
  vostool evaluate --davis-root DAVIS --refine last --out refined
"""


@click.command("evaluate", epilog=EPILOG)
@click.option(
    "--davis-root",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder laid out as DAVIS is; a part of it, or clips of your own, will do.",
)
@click.option("--subset", help="Sequences listed in ImageSets/2017/SUBSET.txt.  [default: val]")
@click.option("--sequences", metavar="A,B,...", help="These sequences instead.")
@click.option(
    "--scribbles",
    metavar="NAME",
    default="Scribbles",
    show_default=True,
    help="The folder of the root that holds the first rounds, such as those drawn by people.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 16),
    default=8,
    show_default=True,
    help="Rounds of scribbles a sample; each gives 30 s an object.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 61),  # what Windows allows
    default=1,
    show_default=True,
    help="Samples side by side: the same J and F, longer seconds where cores are short.",
)
@click.option(
    "--official-metrics", is_flag=True, help="J and F by davisinteractive: the same, slower."
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder for the results.",
)
@store_option
@click.option(
    "--backbone",
    "backbones",
    multiple=True,
    default=["efficientnet-lite0"],
    show_default=True,
    metavar="NAME",
    shell_complete=completion.backbones,
    help=f"{BACKBONE_HELP} Given again, the models' scores are averaged.",
)
@click.option(
    "--weights",
    "weights",
    multiple=True,
    metavar="FILE",
    help="The weights of each --backbone, in order: a public file, or what vostool train left.  "
    "[default: looked for; see vostool weights ls]",
)
@click.option(
    "--random-weights", is_flag=True, help="For tests and benchmarks: weights nobody trained."
)
@features_option
@click.option(
    "--model",
    "models",
    multiple=True,
    default=["rnn"],
    show_default=True,
    metavar="NAME|FILE",
    help="The RNN's weights, for each --backbone in order: shipped, or of vostool train.",
)
@click.option(
    "--refine",
    "refines",
    type=click.Choice(["none", "last", "every"]),
    default="none",
    show_default=True,
    help="After which rounds masks travel from the annotated frames; the paper's is the last.",
)
@refiner_weights_option
@device_option
@preset_option
@seed_option
@json_option
def command(
    davis_root: Path,
    subset: str | None,
    sequences: str | None,
    scribbles: str,
    rounds: int,
    jobs: int,
    official_metrics: bool,
    out: Path,
    store_root: Path | str,
    backbones: tuple[str, ...],
    weights: tuple[str, ...],
    random_weights: bool,
    features: str | None,
    models: tuple[str, ...],
    refines: str,
    refiner_weights: str | None,
    device: str,
    preset: str | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Run the DAVIS interactive benchmark, with its own session and robot.

    Each first round of scribbles in ROOT/Scribbles/SEQUENCE/ is a sample. A robot answers the masks
    of a round with scribbles on the worst frame. Scores are AUC and J&F at 60 s, by two
    clocks: warm has features stored already, cold counts their making in each first round.

    The folder of results gets warm.csv and cold.csv (the official reports), summary.json,
    curve.png and worst.html. Finished samples are kept there: run again, an interrupted evaluation
    goes on.
    """
    if subset is not None and sequences is not None:
        raise click.UsageError("give --subset or --sequences, not both")
    one_blas_thread()
    from vostool.davis.evaluation import evaluate
    from vostool.davis.method import Method
    from vostool.davis.results import write_results
    from vostool.davis.root import read_root
    from vostool.davis.session import Protocol
    from vostool.mask_propagation import Refiner
    from vostool.opening import Settings
    from vostool.pipeline.preparation import Model

    settings = Settings.of(preset=preset, features=features, backbone=backbones[0], seed=seed)
    if len(set(backbones)) < len(backbones):
        raise click.UsageError("each --backbone once: the store keeps one set of features of each")
    if random_weights and weights:
        raise click.UsageError("give --weights or --random-weights, not both")
    if random_weights:
        weights = ("random",) * len(backbones)
    for option, values in (("--weights", weights), ("--model", models)):
        if len(values) not in (len(backbones), 0 if option == "--weights" else 1):
            raise click.UsageError(f"give {option} once for each --backbone, in the same order")
    measured = tuple(
        Model(backbone, weights[n] if weights else None, models[n if len(models) > 1 else 0])
        for n, backbone in enumerate(backbones)
    )
    method = Method(
        store_root,
        settings.preset,
        measured,
        settings.seed,
        device,
        refines,
        chosen_refiner(refines != "none", refiner_weights, device) or Refiner(device=device),
    )
    begun = time.monotonic()
    names = None if sequences is None else [name for name in sequences.split(",") if name]
    evaluation = evaluate(
        read_root(davis_root, subset=subset, names=names, scribbles=scribbles, say=say),
        method,
        Protocol(rounds, official_metrics=official_metrics),
        out,
        jobs=jobs,
        bar=progress_bar,
        say=say,
    )
    summary = write_results(out, evaluation)
    say(f"{len(evaluation.samples)} samples in {time.monotonic() - begun:.0f} s; see {out}")
    if as_json:
        sequences_of = summary.pop("sequences")
        print_rows({"sequence": name, **figures} for name, figures in sequences_of.items())
        print_rows([{"all": summary}])
    else:
        _print(summary)


def _print(summary: dict[str, Any]) -> None:
    rounds = summary["rounds"]
    shown = sorted({1, min(3, len(rounds)), len(rounds)})
    print_table(
        ["sequence", *(f"J&F {n}" for n in shown), "AUC", "J&F@60s", "AUC cold", "J&F@60s cold"],
        [
            [
                name,
                *(f"{figures['rounds'][n - 1]['j_and_f']:.3f}" for n in shown),
                *(
                    f"{figures[clock][figure]:.3f}"
                    for clock in ("warm", "cold")
                    for figure in ("auc", "j_and_f_at_60s")
                ),
            ]
            for name, figures in {**summary["sequences"], "all": summary}.items()
        ],
    )
    click.echo()
    print_table(
        ["round", "J", "F", "J&F", "seconds", "cold"],
        [
            [
                str(n),
                *(f"{scores[key]:.3f}" for key in ("j", "f", "j_and_f")),
                *(f"{scores[key]:.2f}" for key in ("seconds", "seconds_cold")),
            ]
            for n, scores in enumerate(rounds, 1)
        ],
    )
    click.echo()
    print_table(
        ["frames from an annotated one", "J", "F", "J&F", "frames"],
        [
            [
                row["away"],
                *(f"{row[key]:.3f}" for key in ("j", "f", "j_and_f")),
                str(row["frames"]),
            ]
            for row in summary["distance"]
        ],
    )
