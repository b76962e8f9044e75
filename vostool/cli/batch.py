"""``vostool batch``: run, status, cancel."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vostool.cli.common import (
    SOME_FAILED,
    device_option,
    expand,
    fitted_backbone_option,
    height_option,
    json_option,
    model_option,
    print_rows,
    random_weights_option,
    store_option,
    weights_option,
)
from vostool.pipeline.progress import progress_bar, say

if TYPE_CHECKING:
    from vostool.batch.report import Row

RUN = "run"
"""The subcommand that is meant where none is named."""
MOST_TOLD = 20
"""Clips that failed that are named on standard error; the report has all."""


class _Batch(click.Group):
    """A group whose ``run`` may be left out."""

    default = RUN

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [RUN, *args]
        return super().parse_args(ctx, args)


@click.group("batch", cls=_Batch)
def command() -> None:
    """Run stages of many clips as jobs, here or on a cluster.

    "vostool batch CLIP..." is short for "vostool batch run CLIP...". What is to be done is computed
    from what is stored: called again, it does what is missing.

    \b
    Examples:
      vostool batch clips/*.mp4 --stages extract,propagate --out mice
      vostool batch clips/*.mp4 --adapter mice.h5 --out mice --on slurm --partition gpu --gpus 1
      vostool batch status mice
      vostool batch cancel mice
    """


def _minutes(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """A time as Slurm has it: MM, HH:MM:SS, MM:SS, D-HH, D-HH:MM, D-HH:MM:SS."""
    form = r"(?:(?P<days>\d+)-(?=\d))?(?P<parts>\d+(?::\d+){0,2})"
    found = re.fullmatch(form, value)
    if not found:
        raise click.BadParameter(f"{value!r} is no time; give minutes, HH:MM:SS or D-HH:MM")
    parts = [int(part) for part in found["parts"].split(":")]
    if found["days"] is not None:
        hours, minutes, seconds = [*parts, 0, 0][:3]
        hours += 24 * int(found["days"])
    elif len(parts) == 3:
        hours, minutes, seconds = parts
    else:
        hours, (minutes, seconds) = 0, [*parts, 0][:2]
    whole = hours * 60 + minutes + -(-seconds // 60)
    if whole == 0:
        raise click.BadParameter("a job needs a minute at least")
    return whole


def _options(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE``, as sbatch has them."""
    pairs = [value.partition("=") for value in values]
    for key, equals, _ in pairs:
        if not (equals and re.fullmatch(r"[a-z][a-z-]*", key)):
            raise click.BadParameter(f"{key!r} is no KEY=VALUE; give such as account=lab")
    return {key: value for key, _, value in pairs}


@command.command(RUN, epilog="Example: vostool batch run clips/*.mp4 --stages extract --out mice")
@click.argument("clips", nargs=-1, required=True, metavar="CLIP...")
@click.option(
    "--stages",
    metavar="STAGES",
    help="What to make of each clip, of extract,propagate,render.  [default: extract, and what the "
    "adapter's masks need]",
)
@click.option(
    "--adapter",
    "adapter_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.h5",
    help="What render makes masks with: what vostool adapt wrote.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="The batch's folder: masks, report, logs.",
)
@click.option(
    "--on",
    type=click.Choice(["local", "slurm"]),
    default="local",
    show_default=True,
    help="Who runs the jobs: this machine, or a cluster.",
)
@click.option(
    "--array",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many jobs run at the same time.  [default: 1 here, 50 an array on slurm]",
)
@click.option("--partition", metavar="NAME", help="On slurm: where jobs run.")
@click.option(
    "--time",
    "minutes",
    default="60",
    show_default=True,
    callback=_minutes,
    metavar="TIME",
    help="On slurm: after which a job is stopped, in minutes or as HH:MM:SS. As many clips make a "
    "job as take half of it, by the pace of those that are done.",
)
@click.option("--gpus", type=click.IntRange(min=1), metavar="N", help="On slurm: GPUs of each job.")
@click.option(
    "--sbatch",
    "options",
    multiple=True,
    callback=_options,
    metavar="KEY=VALUE",
    help="On slurm: another option of sbatch, such as account=lab or cpus-per-task=4. May be given "
    "again.",
)
@click.option("--no-wait", is_flag=True, help="Return when the jobs are submitted.")
@store_option
@fitted_backbone_option
@weights_option
@random_weights_option
@height_option
@model_option
@device_option
@json_option
def run(
    clips: tuple[str, ...],
    stages: str | None,
    adapter_file: Path | None,
    out: Path,
    on: str,
    array: int | None,
    partition: str | None,
    minutes: int,
    gpus: int | None,
    options: dict[str, str],
    no_wait: bool,
    store_root: Path | str,
    backbone: str | None,
    weights: str | None,
    network_height: int,
    model: str,
    device: str,
    as_json: bool,
) -> None:
    """Make what is missing of many clips: features, context, masks.

    CLIP is a video file, a folder of images, or - for one a line on standard input; without the
    stage extract, a clip's name in the store. A clip that fails is named, with its one line, and in
    DIR/report.html; the others are done all the same. Each clip's name that is done goes to
    standard output.
    """
    from vostool.adapter import Adapter
    from vostool.backbones import DEFAULT
    from vostool.batch.calls import begin
    from vostool.batch.scheduler import Limits
    from vostool.batch.task import Task, in_order, needed
    from vostool.clips import name_clips
    from vostool.store.layout import check_name

    adapter = None if adapter_file is None else Adapter.read(adapter_file)
    asked = in_order(stages) if stages is not None else needed(adapter)
    if ("render" in asked) != (adapter_file is not None):
        raise click.UsageError("--adapter FILE.h5 goes with the stage render, and render with it")
    if on != "slurm" and (partition or gpus or options):
        raise click.UsageError("--partition, --gpus and --sbatch go with --on slurm")
    sources = expand(clips)
    if "extract" in asked:
        named = {name: os.path.abspath(source) for name, source in name_clips(sources).items()}
    else:
        named = {check_name(name): name for name in sources}
    store = store_root if isinstance(store_root, str) else str(store_root.absolute())
    task = Task(
        asked, store, str(out.absolute()),
        backbone or (DEFAULT if adapter is None else adapter.provenance.network),
        None if weights is None else _absolute(weights), network_height, _absolute(model),
        None if adapter_file is None else str(adapter_file.absolute()), device,
    )  # fmt: skip
    limits = Limits(array, minutes, partition, gpus, options)
    with progress_bar(f"batch {out}", "clips") as progress:
        rows = begin(out, task, named, on, limits, wait=not no_wait, progress=progress, say=say)
    _tell(out, rows, as_json)
    _end(rows, waited=not no_wait)


@command.command("status", epilog="Example: vostool batch status mice")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@json_option
def status(folder: Path, as_json: bool) -> None:
    """Say how far a batch is, and write its report anew."""
    from vostool.batch.calls import status as look

    _tell(folder, look(folder), as_json)


@command.command("cancel", epilog="Example: vostool batch cancel mice")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
def cancel(folder: Path) -> None:
    """Stop a batch's jobs; what is made stays, and the next call takes up the rest."""
    from vostool.batch.calls import cancel as stop

    say(f"{folder}: {stop(folder)} jobs stopped")


def _absolute(weights: str) -> str:
    """A file of weights as jobs find it, wherever they run; a name as it is."""
    return os.path.abspath(weights) if Path(weights).exists() else weights


def _tell(out: Path, rows: list[Row], as_json: bool) -> None:
    """Print clips that are done, or every row; name those that failed."""
    from vostool.batch.report import DONE, FAILED, summary

    if as_json:
        print_rows(asdict(row) for row in rows)
    else:
        for row in rows:
            if row.state == DONE:
                click.echo(row.clip)
    failed = [row for row in rows if row.state == FAILED]
    for row in failed[:MOST_TOLD]:
        say(f"Error: {row.clip}: {row.stage}: {row.error}")
    if len(failed) > MOST_TOLD:
        say(f"and {len(failed) - MOST_TOLD} more")
    say(f"{summary(rows)}; see {out / 'report.html'}")


def _end(rows: list[Row], *, waited: bool) -> None:
    """End with the status of a run over many clips."""
    from vostool.batch.report import DONE, FAILED

    states = {row.state for row in rows}
    if FAILED in states or (waited and states != {DONE}):
        sys.exit(SOME_FAILED if DONE in states else 1)
