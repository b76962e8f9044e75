"""Markdown table and curve of some evaluations, side by side.

    python tools/results.py default=OUT paper=OTHER --curve curve.png

OUT and OTHER are folders that ``vostool evaluate --out`` has filled. It prints the tables of
docs/results.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from vostool.davis.pictures import write_curve

SHOWN = (1, 3, 8)
"""The rounds in the table, as far as they were played."""


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="LABEL=OUT...")
@click.option("--curve", type=click.Path(path_type=Path), help="Draw J&F over time to this PNG.")
@click.option("--sequences", is_flag=True, help="A row a sequence, J&F alone.")
@click.option("--distance", is_flag=True, help="The last round, by frames from an annotated one.")
def main(runs: tuple[str, ...], curve: Path | None, sequences: bool, distance: bool) -> None:
    """Print a Markdown table, a row a run."""
    summaries = {}
    for run in runs:
        label, _, out = run.rpartition("=")
        summaries[label or out] = json.loads((Path(out) / "summary.json").read_text())
    first = next(iter(summaries.values()))
    shown = [n for n in SHOWN if n <= len(first["rounds"])]
    if distance:
        scores = ("j", "f", "j_and_f")
        rows = {
            row["away"]: [
                str(row["frames"]),
                *(f"{s['distance'][n][key]:.3f}" for s in summaries.values() for key in scores),
            ]
            for n, row in enumerate(first["distance"])
        }
        columns = [f"{label}, {score}" for label in summaries for score in ("J", "F", "J&F")]
        heads = ["frames away", "frames", *columns]
    elif sequences:
        rows = {
            name: [
                f"{summary['sequences'][name]['rounds'][n - 1]['j_and_f']:.3f}"
                for summary in summaries.values()
                for n in shown
            ]
            for name in first["sequences"]
        }
        heads = ["sequence", *(f"{label}, round {n}" for label in summaries for n in shown)]
    else:
        rows = {label: _figures(summary, shown) for label, summary in summaries.items()}
        heads = [
            "", *(f"{score} {n}" for n in shown for score in ("J", "F", "J&F")),
            "AUC", "J&F@60s", "AUC cold", "J&F@60s cold", "s a round", "s first, cold",
        ]  # fmt: skip
    click.echo(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for label, figures in rows.items():
        click.echo(f"| {label} | {' | '.join(figures)} |")
    if curve is not None:
        write_curve(curve, summaries)


def _figures(summary: dict[str, Any], shown: list[int]) -> list[str]:
    rounds = summary["rounds"]
    scores = [rounds[n - 1][key] for n in shown for key in ("j", "f", "j_and_f")]
    clocks = [summary[c][key] for c in ("warm", "cold") for key in ("auc", "j_and_f_at_60s")]
    mean = sum(one["seconds"] for one in rounds) / len(rounds)
    return [
        *(f"{score:.3f}" for score in (*scores, *clocks)),
        f"{mean:.2f}",
        f"{rounds[0]['seconds_cold']:.1f}",
    ]


if __name__ == "__main__":
    main()
