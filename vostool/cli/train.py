"""``vostool train``: a subcommand for each recipe."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from vostool.cli.common import (
    backbone_option,
    device_option,
    json_option,
    one_blas_thread,
    random_weights_option,
    report,
    weights_option,
)
from vostool.pipeline.progress import progress_bar, say
from vostool.training.recipes import RECIPES, Recipe


def _size(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    """``HxW``."""
    found = re.fullmatch(r"(\d+)x(\d+)", value)
    if not found or min(int(n) for n in found.groups()) < 32:
        raise click.BadParameter(f"{value!r} is no height and width of 32 or more, as 256x320")
    return int(found[1]), int(found[2])


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

OPTIONS: dict[str, tuple[Decorator, ...]] = {
    "backbone": (backbone_option,),
    "weights": (weights_option, random_weights_option),
    "fixed_backbone": (
        click.option(
            "--fixed-backbone",
            is_flag=True,
            help="Take the backbone as it is: step 1, too, trains the RNN alone.",
        ),
    ),
    "shots": (
        click.option(
            "--shots",
            type=click.IntRange(min=1),
            default=400,
            show_default=True,
            help="Where the backbone is fixed: how many shots are drawn, and their features kept "
            "on disk.",
        ),
    ),
    "batch": (
        click.option(
            "--batch",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="How many shots an iteration sees, all of one size.",
        ),
    ),
    "workers": (
        click.option(
            "--workers",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="Processes that make shots, and as many that draw strokes, while the network "
            "learns; the result is the same.",
        ),
    ),
}
"""The options of the recipes, by their names there."""

COMMON: tuple[Decorator, ...] = (
    click.option(
        "--videos",
        multiple=True,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="A root laid out as DAVIS or YouTube-VOS: its training sequences. May be repeated.",
    ),
    click.option(
        "--photos",
        multiple=True,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="A folder with images/ and masks/, set in motion. May be repeated; each root of "
        "photos or videos is drawn from as often as any other.",
    ),
    click.option(
        "--hold-back",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="Leave every N-th sequence of videos out, to choose by.",
    ),
    click.option(
        "--init",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIR",
        help="Begin with the weights that another training left in its --out.",
    ),
    click.option(
        "--iterations",
        type=click.IntRange(min=1),
        default=1000,
        show_default=True,
        help="How many in all.",
    ),
    click.option(
        "--learning-rate",
        type=float,
        default=1e-3,
        show_default=True,
        help="The highest learning rate of Adam; it rises to it, then falls to zero.",
    ),
    click.option(
        "--frames",
        type=click.IntRange(min=2),
        default=4,
        show_default=True,
        help="How many frames a shot has.",
    ),
    click.option(
        "--size",
        callback=_size,
        default="192x320",
        show_default=True,
        metavar="HxW",
        help="The height and width of a shot, in pixels.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="The seed of the shots, the strokes and the first weights.",
    ),
    click.option("--resume", is_flag=True, help="Go on from the checkpoint in --out."),
    click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        required=True,
        metavar="DIR",
        help="The folder for weights, checkpoint, log.csv and loss.png.",
    ),
    device_option,
    json_option,
)


@click.group("train")
def command() -> None:
    """Train the networks: the paper's two steps (§2.4.1, Eq. 4), and those beyond it.

    An interrupted training goes on with the same command and --resume, to the same result. The
    weights are files for propagate --model, or for the next training's --init.

    \b
    Examples:
      vostool train step1 --videos DAVIS --out step1
      vostool train step2 --videos DAVIS --init step1 --out step2
    """


def _subcommand(name: str, recipe: Recipe) -> click.Command:
    def run(**given: Any) -> None:
        options = {option: given.pop(option) for option in recipe.options}
        _train(name, options, **given)

    decorated: Callable[..., Any] = run
    for option in reversed((*(o for n in recipe.options for o in OPTIONS[n]), *COMMON)):
        decorated = option(decorated)
    examples = "\n".join(f"  vostool train {name} {example}" for example in recipe.examples)
    epilog = f"\b\nExamples:\n{examples}"
    return click.command(name, help=recipe.help, epilog=epilog)(decorated)


def _train(
    recipe: str,
    options: dict[str, Any],
    videos: tuple[Path, ...],
    photos: tuple[Path, ...],
    hold_back: int,
    init: Path | None,
    iterations: int,
    learning_rate: float,
    frames: int,
    size: tuple[int, int],
    seed: int,
    resume: bool,
    out: Path,
    device: str,
    as_json: bool,
) -> None:
    one_blas_thread()
    if importlib.util.find_spec("matplotlib") is None:  # for the curve, in the end
        raise click.ClickException("matplotlib is missing; install it with: pip install matplotlib")
    from vostool.training.run import Training, check_folder
    from vostool.training.trainer import Schedule

    check_folder(out, resume)
    training = Training(
        recipe, videos, photos, hold_back, init, frames, size, seed,
        Schedule(iterations, learning_rate), options,
    )  # fmt: skip
    losses: list[float] = []
    with (
        progress_bar("features of shots", "shots") as bar,
        progress_bar(f"train {recipe}", "iterations") as show,
    ):

        def progress(done: int, total: int, loss: float) -> None:
            losses.append(loss)
            recent = losses[-50:]
            show(done, total, f"loss {sum(recent) / len(recent):.4f}")

        files = training.run(out, device=device, bar=bar, progress=progress, say=say)
    report({"weights": [str(file) for file in files]}, as_json, str(out))


for _name, _recipe in RECIPES.items():
    command.add_command(_subcommand(_name, _recipe))
