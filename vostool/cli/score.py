"""``vostool score``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from vostool.cli.common import json_option, print_rows, print_table
from vostool.pipeline.progress import say

EPILOG = """\b
Examples:
  vostool score masks/ DAVIS/Annotations/480p/bear
  vostool score results/ DAVIS/Annotations/480p --json | tail -n 1
"""


@click.command("score", epilog=EPILOG)
@click.argument("masks", type=click.Path(path_type=Path), metavar="MASKS_DIR")
@click.argument("annotations", type=click.Path(path_type=Path), metavar="ANNOTATIONS_DIR")
@click.option(
    "--all-frames", is_flag=True, help="Score the first and the last annotated frame, too."
)
@json_option
def command(masks: Path, annotations: Path, all_frames: bool, as_json: bool) -> None:
    """J, F and J&F of masks, by any method: the semi-supervised measure of DAVIS.

    Both are folders of PNGs with the same names, or folders of such folders, one a sequence. The
    scores are means over the frames of an object, without the first and the last, and then over all
    objects.
    """
    from vostool.davis.scoring import match, score

    pairs = match(masks, annotations, all_frames=all_frames, say=say)
    scores = [one for pair in pairs for one in score(pair)]
    count = len(scores)
    mean = sum(one.j for one in scores) / count, sum(one.f for one in scores) / count
    if as_json:
        print_rows({**asdict(one), "j_and_f": one.j_and_f} for one in scores)
        print_rows([{"mean": {"j": mean[0], "f": mean[1], "j_and_f": sum(mean) / 2}}])
        return
    rows = [[one.sequence, str(one.object_id), *_figures(one.j, one.f)] for one in scores]
    print_table(["sequence", "object", "J", "F", "J&F"], [*rows, ["mean", "", *_figures(*mean)]])


def _figures(j: float, f: float) -> list[str]:
    return [f"{j:.3f}", f"{f:.3f}", f"{0.5 * (j + f):.3f}"]
