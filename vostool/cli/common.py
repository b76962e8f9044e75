"""What the commands share: their common options, runs over many clips, progress, results."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import click

from vostool.errors import VostoolError

SOME_FAILED = 3
"""Exit status when some clips of many failed; the others are done."""

PLAIN_LINE_EVERY = 10.0
"""Seconds between progress lines where standard error is no terminal."""


class Show(Protocol):
    """Shows how far things are."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


store_option = click.option(
    "--store",
    "store_root",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="VOSTOOL_STORE",
    default=Path("vostool-store"),
    show_default="$VOSTOOL_STORE or ./vostool-store",
    help="The feature store's folder.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="Where the network runs.",
)
preset_option = click.option(
    "--preset",
    type=click.Choice(["default", "paper"]),
    default="default",
    show_default=True,
    help="'paper' follows the paper to the letter: no decoder, and context alone for features.",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of the random choice of background.",
)
features_option = click.option(
    "--features",
    type=click.Choice(["backbone", "context", "both"]),
    help="The stored features that the classifier reads.  [default: the preset's]",
)
model_option = click.option(
    "--model",
    default="rnn",
    show_default=True,
    metavar="NAME|FILE",
    help="The RNN's weights: shipped ones, or those that vostool train left.",
)


backbone_option = click.option(
    "--backbone",
    default="efficientnet-lite0",
    show_default=True,
    metavar="NAME",
    help="The network; vostool weights lists them.",
)


def _weights(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        if ctx.params.get("weights"):
            raise click.UsageError("give --weights or --random-weights, not both")
        ctx.params["weights"] = "random"


weights_option = click.option(
    "--weights",
    metavar="FILE",
    is_eager=True,
    help="The network's weights: a public file, or what vostool train left.  "
    "[default: looked for; see vostool weights]",
)
random_weights_option = click.option(
    "--random-weights",
    is_flag=True,
    callback=_weights,
    expose_value=False,
    help="For tests and benchmarks: weights that nobody trained.",
)


refiner_option = click.option(
    "--refiner",
    default="refine",
    show_default=True,
    metavar="NAME",
    help="The network by which masks travel: the shipped one, or rgmp-resnet50.",
)
refiner_weights_option = click.option(
    "--refiner-weights",
    metavar="FILE",
    help="Its weights: the authors' file, or what vostool train --step refine left.  "
    "[default: looked for; see vostool weights]",
)


def _frame_range(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, int | None]:
    """``A:B``: frames A to B-1, as Python counts them; either may be left out."""
    first, colon, last = (value or ":").partition(":")
    try:
        start, stop = int(first or 0), int(last) if last else None
    except ValueError:
        colon = ""
    if not colon or start < 0 or (stop is not None and stop <= start):
        raise click.BadParameter(f"{value!r} is no range of frames; give it as 180:240")
    return start, stop


frames_option = click.option(
    "--frames",
    callback=_frame_range,
    metavar="A:B",
    help="Take frames A to B-1 alone; the first of them is then frame 0.",
)


def one_blas_thread() -> None:
    """Let numpy multiply in one thread; to be called before it is imported.

    These commands multiply small matrices, several frames at a time: threads within a product only
    get in the way of each other, and starting them takes longer than the products.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def expand(arguments: tuple[str, ...]) -> list[str]:
    """Clips or names as given, with ``-`` for one a line on standard input."""
    expanded: list[str] = []
    for argument in arguments:
        if argument == "-":
            expanded += [line.strip() for line in sys.stdin if line.strip()]
        else:
            expanded.append(argument)
    return expanded


def say(message: str) -> None:
    """Tell a person something, on standard error."""
    click.echo(message, err=True)


def report(result: dict[str, Any], as_json: bool, line: str) -> None:
    """Print one result on standard output: a line, or a JSON line."""
    click.echo(json.dumps(result) if as_json else line)


def print_table(heads: list[str], rows: Iterable[list[str]]) -> None:
    """Print a table on standard output: words to the left, figures to the right.

    It has no lines and no colours where that is no terminal, so that awk can read it.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    table = Table(box=SIMPLE_HEAD if terminal else None, pad_edge=terminal)
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if terminal else 1000).print(table)


def for_each(items: list[str], work: Callable[[str], None]) -> None:
    """Do some work for each item; one that fails is named, and the others are done all the same.

    Raises:
        click.ClickException: the only item failed, or all did (status 1).
        SystemExit: some of many failed (status 3).
    """
    failed = []
    for item in items:
        try:
            work(item)
        except VostoolError as problem:
            if len(items) == 1:
                raise
            failed.append(item)
            say(f"Error: {' '.join(str(problem).split())}")
    if failed and len(failed) == len(items):
        raise click.ClickException(f"all {len(items)} clips failed")
    if failed:
        say(f"{len(failed)} of {len(items)} clips failed: {', '.join(failed)}")
        sys.exit(SOME_FAILED)


@contextmanager
def progress_bar(what: str, unit: str = "frames") -> Iterator[Show]:
    """A bar with rate and time left on a terminal, a plain line now and then elsewhere.

    It appears with the first frame done after a second, so quick work shows none. It is told of
    what is done, of how much there is, and perhaps of a word on it.
    """
    if not sys.stderr.isatty():
        yield _plain_lines(what, unit)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{{task.fields[rate]:.1f}} {unit}/s"),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(what, total=None, rate=0.0, note="")
    begun = time.monotonic()
    first: list[int] = []

    def show(done: int, total: int, note: str = "") -> None:
        first.append(done) if not first else None
        elapsed = time.monotonic() - begun
        if elapsed > 1 and not bar.live.is_started:
            bar.start()
        rate = (done - first[0]) / max(elapsed, 1e-6)
        bar.update(task, completed=done, total=total, rate=rate, note=note)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()


def _plain_lines(what: str, unit: str) -> Show:
    begun = last = time.monotonic()

    def show(done: int, total: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PLAIN_LINE_EVERY:
            last = now
            about = f", {note}" if note else ""
            say(f"{what}: {done} of {total} {unit}{about}, {now - begun:.0f} s")

    return show
