"""``vostool train``."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import click

from vostool.cli.common import (
    backbone_option,
    device_option,
    json_option,
    one_blas_thread,
    progress_bar,
    random_weights_option,
    report,
    say,
    weights_option,
)

EPILOG = """\b
Examples:
  vostool train --step 1 --photos DUTS --out photos
  vostool train --step 1 --videos DAVIS --init photos --out step1
  vostool train --step 2 --videos DAVIS --init step1 --out step2
  vostool train --step decoder --photos DUTS --videos DAVIS --size 320x544 --out decoder
  vostool train --step refine --photos DUTS --size 256x320 --out refine
"""


def _size(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, int]:
    """``HxW``."""
    found = re.fullmatch(r"(\d+)x(\d+)", value)
    if not found or min(int(n) for n in found.groups()) < 32:
        raise click.BadParameter(f"{value!r} is no height and width of 32 or more, as 256x320")
    return int(found[1]), int(found[2])


@click.command("train", epilog=EPILOG)
@click.option(
    "--step",
    type=click.Choice(["1", "2", "decoder", "refine"]),
    required=True,
    help="1: backbone and spatial RNN together. 2: the whole RNN, on a fixed backbone. "
    "decoder: the network that makes masks of the classifier's scores. "
    "refine: the network by which masks travel from frame to frame.",
)
@backbone_option
@weights_option
@random_weights_option
@click.option(
    "--videos",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A root laid out as DAVIS or YouTube-VOS: its training sequences. May be repeated.",
)
@click.option(
    "--photos",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with images/ and masks/, set in motion. May be repeated; each root of photos "
    "or videos is drawn from as often as any other.",
)
@click.option(
    "--hold-back",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Leave every N-th sequence of videos out, to choose by.",
)
@click.option(
    "--init",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Begin with the weights that another training left in its --out.",
)
@click.option(
    "--fixed-backbone",
    is_flag=True,
    help="Steps 1 and 2 for the backbone as it is: step 1 too trains the RNN alone.",
)
@click.option(
    "--model",
    default="rnn",
    show_default=True,
    metavar="NAME|FILE",
    help="For decoder and refine: the RNN whose context the classifier reads, shipped or trained.",
)
@click.option(
    "--iterations",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="In all: a shot each.",
)
@click.option(
    "--learning-rate", type=float, default=1e-3, show_default=True, help="The highest, of Adam."
)
@click.option("--frames", type=click.IntRange(min=2), default=4, show_default=True, help="A shot.")
@click.option(
    "--size", callback=_size, default="192x320", show_default=True, metavar="HxW", help="Of a shot."
)
@click.option(
    "--shots",
    type=click.IntRange(min=1),
    default=400,
    show_default=True,
    help="Where the backbone is fixed: how many are drawn, and their features kept on disk.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of it all.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in --out.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="For weights, checkpoint, log.csv and loss.png.",
)
@device_option
@json_option
def command(
    step: str,
    backbone: str,
    weights: str | None,
    videos: tuple[Path, ...],
    photos: tuple[Path, ...],
    hold_back: int,
    init: Path | None,
    fixed_backbone: bool,
    model: str,
    iterations: int,
    learning_rate: float,
    frames: int,
    size: tuple[int, int],
    shots: int,
    seed: int,
    resume: bool,
    out: Path,
    device: str,
    as_json: bool,
) -> None:
    """Train the networks: the paper's two steps (§2.4.1, Eq. 4), the decoder, and refine.

    An interrupted training goes on with the same command and --resume, to the same result. The
    weights are files for propagate --model, or for the next training's --init.
    """
    one_blas_thread()
    if importlib.util.find_spec("matplotlib") is None:  # for the curve, in the end
        raise click.ClickException("matplotlib is missing; install it with: pip install matplotlib")
    from vostool.backbones import DEFAULT
    from vostool.training.command import Training, check_folder
    from vostool.training.trainer import Schedule

    if step in ("decoder", "refine") and backbone != DEFAULT:
        raise click.UsageError(f"--step {step} reads {DEFAULT} alone; leave --backbone out")
    check_folder(out, resume)
    training = Training(
        step, backbone, weights, videos, photos, hold_back, init, fixed_backbone, model,
        frames, size, shots, seed,
        Schedule(iterations, learning_rate),
    )  # fmt: skip
    losses: list[float] = []
    with (
        progress_bar("features of shots", "shots") as bar,
        progress_bar(f"train {step}", "iterations") as show,
    ):

        def progress(done: int, total: int, loss: float) -> None:
            losses.append(loss)
            recent = losses[-50:]
            show(done, total, f"loss {sum(recent) / len(recent):.4f}")

        files = training.run(out, device=device, bar=bar, progress=progress, say=say)
    report({"weights": [str(file) for file in files]}, as_json, str(out))
