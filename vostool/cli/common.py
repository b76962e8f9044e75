"""What the commands share: their common options, runs over many clips, results."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from vostool.cli import completion
from vostool.errors import VostoolError
from vostool.pipeline.progress import say
from vostool.presets import FEATURES, PRESETS
from vostool.reading import Reading

if TYPE_CHECKING:
    from vostool.mask_propagation import Refiner

Command: TypeAlias = "Callable[..., None]"

SOME_FAILED = 3
"""Exit status when some clips of many failed; the others are done."""


class StoreFolder(click.Path):
    """A folder that has a name: an empty one, of an unset variable, would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The folder's path."""
        if value == "":
            self.fail("the store's folder has no name", param, ctx)
        return super().convert(value, param, ctx)


class StorePlace(StoreFolder):
    """A folder that has a name, or a URL, which stays a string."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The folder's path, or the URL."""
        if isinstance(value, str) and "://" in value:
            return value
        return super().convert(value, param, ctx)


store_option = click.option(
    "--store",
    "store_root",
    type=StorePlace(file_okay=False, path_type=Path),
    envvar="VOSTOOL_STORE",
    default=Path("vostool-store"),
    show_default="$VOSTOOL_STORE or ./vostool-store",
    metavar="DIR|URL",
    help="The feature store: a folder, or s3://BUCKET/PREFIX.",
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
    type=click.Choice(list(PRESETS)),
    help="'paper' follows the paper to the letter: no decoder, and context alone for features.  "
    "[default: default]",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="The seed of the random choice of background pixels.  [default: 0]",
)
features_option = click.option(
    "--features",
    type=click.Choice(FEATURES),
    help="The stored features that the classifier reads.  [default: the preset's]",
)
model_option = click.option(
    "--model",
    default="rnn",
    show_default=True,
    metavar="NAME|FILE",
    shell_complete=completion.shipped_weights,
    help="The RNN's weights: shipped ones, or those that vostool train left.",
)


BACKBONE_HELP = (
    "The network that makes features: efficientnet-lite0 where it should be quick, dinov2-small "
    "where fewer corrections should do; vostool weights ls lists them."
)
backbone_option = click.option(
    "--backbone",
    default="efficientnet-lite0",
    show_default=True,
    metavar="NAME",
    shell_complete=completion.backbones,
    help=BACKBONE_HELP,
)
fitted_backbone_option = click.option(
    "--backbone",
    metavar="NAME",
    shell_complete=completion.backbones,
    help=f"{BACKBONE_HELP}  [default: efficientnet-lite0]",
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
    "[default: looked for; see vostool weights ls]",
)
random_weights_option = click.option(
    "--random-weights",
    is_flag=True,
    callback=_weights,
    expose_value=False,
    help="For tests and benchmarks: weights that nobody trained.",
)


refiner_weights_option = click.option(
    "--refiner-weights",
    metavar="FILE",
    help="The weights of RGMP, by which masks travel: its authors' file.  "
    "[default: looked for; see vostool weights ls]",
)
refine_option = click.option(
    "--refine",
    "refines",
    is_flag=True,
    help="Let masks travel from the annotated frames, as vostool refine does.",
)


def chosen_refiner(refines: bool, weights: str | None, device: str) -> Refiner | None:
    """By which masks travel, if they do.

    Raises:
        click.UsageError: weights were chosen, and masks are not to travel.
        WeightsError: masks are to travel, and the weights are missing.
    """
    from vostool.backbones.network import RANDOM
    from vostool.checkpoints import fingerprint
    from vostool.mask_propagation import Refiner

    if not refines:
        if weights is not None:
            raise click.UsageError("--refiner-weights goes with --refine")
        return None
    refiner = Refiner(weights, device)
    refiner.check()
    if weights is not None and weights != RANDOM:
        say(f"{weights}: SHA-256 {fingerprint(Path(weights))}")
    return refiner


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


strict_option = click.option(
    "--strict",
    is_flag=True,
    help="Refuse a video that is cut off, a sequence that leaves numbers out, or an OME-Zarr that "
    "leaves chunks out.  [default: take what is there, and say so]",
)


def _contrast(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[float, float] | None:
    if value is None:
        return None
    try:
        black, white = map(float, value.split(":"))
    except ValueError:
        raise click.BadParameter(f"{value!r}; give it as 200:4000") from None
    return black, white


def reading_options(command: Command) -> Command:
    """The options of :class:`vostool.reading.Reading`, given to a command as ``reading``."""

    @wraps(command)
    def called(
        deinterlace: bool,
        contrast: tuple[float, float] | None,
        channel: str | None,
        **given: Any,
    ) -> None:
        command(reading=Reading(deinterlace, contrast, channel), **given)

    for option in (
        click.option(
            "--channel", metavar="N|NAME",
            help="Of a TIFF stack or an OME-Zarr of several channels, the one to take: its number, "
            "from 0, or its name.",
        ),
        click.option(
            "--contrast", callback=_contrast, metavar="LOW:HIGH",
            help="Of images, the values that become black and white.  [default: all of their bits]",
        ),
        click.option(
            "--deinterlace", is_flag=True, help="Of an interlaced video, mend every second line."
        ),
    ):  # fmt: skip
        called = option(called)
    return called


name_option = click.option(
    "--name", help="The clip's name in the store; by default the file's or folder's."
)
height_option = click.option(
    "--height",
    "network_height",
    type=click.IntRange(min=32),
    default=480,
    show_default=True,
    help="Bring frames to this for the network; masks keep the clip's size.",
)
out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="The folder for the masks, %05d.png, indexed with the DAVIS palette.",
)
overlay_option = click.option(
    "--overlay",
    "overlay_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.mp4",
    help="Also write a video with the masks over the frames.",
)


def cleaning_options(command: Command) -> Command:
    """The options of :class:`vostool.cleaning.Cleaning`, given to a command as ``cleaning``."""
    flags = ("fill_holes", "drop_specks", "largest", "smooth")

    @wraps(command)
    def called(**given: Any) -> None:
        command(cleaning={flag: given.pop(flag) for flag in flags}, **given)

    for option in (
        click.option(
            "--smooth", type=click.IntRange(min=1), default=1, metavar="N",
            help="A pixel takes the label that it has in most of N frames, an odd number.",
        ),
        click.option(
            "--largest", is_flag=True, help="Keep the largest part of each object alone."
        ),
        click.option(
            "--drop-specks", is_flag=True, help="Drop parts of less than 2 % of their object."
        ),
        click.option(
            "--fill-holes", is_flag=True, help="Fill background that an object encloses."
        ),
    ):  # fmt: skip
        called = option(called)
    return called


any_clip_option = click.option(
    "--any-clip",
    is_flag=True,
    help="Take scribbles that say they were drawn on another sequence.",
)
force_option = click.option(
    "--force", is_flag=True, help="Replace files that vostool did not make."
)


def _shard(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int]:
    """``I/N``: the I-th of N parts, counted from 1."""
    part, slash, parts = (value or "1/1").partition("/")
    if not (part.isdecimal() and slash and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise click.BadParameter(f"{value!r} is no part of some; give the first of 8 as 1/8")
    return int(part), int(parts)


shard_option = click.option(
    "--shard",
    callback=_shard,
    metavar="I/N",
    help="Do the I-th of N parts of the clips alone; other machines, given the same clips in the "
    "same order, do the others.",
)


def one_blas_thread() -> None:
    """Let numpy multiply in one thread; to be called before it is imported.

    These commands multiply small matrices, several frames at a time: threads within a product only
    get in the way of each other, and starting them takes longer than the products.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def expand(arguments: tuple[str, ...]) -> list[str]:
    """Clips or names as given, with ``-`` for one a line on standard input.

    Raises:
        click.UsageError: there is no standard input to read them from.
    """
    expanded: list[str] = []
    for argument in arguments:
        if argument == "-":
            if sys.stdin is None:
                raise click.UsageError("-: standard input is closed; give it a name a line")
            expanded += [line.strip() for line in sys.stdin if line.strip()]
        else:
            expanded.append(argument)
    return expanded


def report(result: dict[str, Any], as_json: bool, line: str) -> None:
    """Print one result on standard output: a line, or a JSON line."""
    click.echo(json.dumps(result) if as_json else line)


def print_rows(rows: Iterable[dict[str, Any]]) -> None:
    """Print results on standard output, a JSON line each."""
    for row in rows:
        click.echo(json.dumps(row))


def print_table(heads: list[str], rows: Iterable[list[str]]) -> None:
    """Print a table on standard output: words to the left, figures to the right.

    It has no lines and no colours where that is no terminal, so that awk can read it.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    rows = list(rows)
    table = Table(box=SIMPLE_HEAD if terminal else None, pad_edge=terminal)
    for number, head in enumerate(heads):
        figures = all(row[number][:1] in "-0123456789" for row in rows)
        table.add_column(head, justify="right" if figures else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if terminal else 1000).print(table)


def for_each(
    items: list[str],
    work: Callable[[str], None],
    finish: Callable[[], None] | None = None,
    *,
    shard: tuple[int, int] = (1, 1),
) -> None:
    """Do some work for each item; one that fails is named, and the others are done all the same.

    Args:
        items: clips.
        work: what is done for each.
        finish: what is done in the end with those that did not fail.
        shard: (I, N) for every N-th item from the I-th on alone: parts that differ by one at most.

    Raises:
        click.ClickException: the only item failed, or all did (status 1).
        SystemExit: some of many failed (status 3).
    """
    from vostool.cli.mends import one_line

    part, parts = shard
    items = items[part - 1 :: parts]
    failed = []
    for item in items:
        try:
            work(item)
        except VostoolError as problem:
            if len(items) == 1:
                raise
            failed.append(item)
            say(f"Error: {one_line(problem)}")
    if failed and len(failed) == len(items):
        raise click.ClickException(f"all {len(items)} clips failed")
    if finish is not None:
        finish()
    if failed:
        say(f"{len(failed)} of {len(items)} clips failed: {', '.join(failed)}")
        sys.exit(SOME_FAILED)
