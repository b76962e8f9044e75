"""``vostool refine``."""

from __future__ import annotations

from pathlib import Path

import click

from vostool.cli import completion
from vostool.cli.common import (
    chosen_refiner,
    device_option,
    force_option,
    json_option,
    out_option,
    overlay_option,
    refiner_weights_option,
    store_option,
)
from vostool.cli.render import render

EPILOG = """\b
Examples:
  vostool refine --adapter bikes.h5 --out masks
  vostool refine --adapter bikes.h5 --out masks --overlay look.mp4
  vostool refine --adapter bikes.h5 --out masks --refiner-weights weights.pth
"""


@click.command("refine", epilog=EPILOG)
@click.argument("name", required=False, shell_complete=completion.clips)
@click.option(
    "--adapter",
    "adapter_file",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.h5",
    help="What vostool adapt wrote, on this clip.",
)
@out_option
@overlay_option
@refiner_weights_option
@store_option
@device_option
@force_option
@json_option
def command(
    name: str | None,
    adapter_file: Path,
    out: Path,
    overlay_file: Path | None,
    refiner_weights: str | None,
    store_root: Path | str,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """Write the mask of every frame, refined: masks travel from the annotated frames.

    NAME is a clip in the store; by default the one that the adapter was fitted on. From each frame
    that bears strokes its mask travels both ways, frame by frame, up to the middle towards the next
    such frame. What it brings is weighed against the classifier's answer, less the further it came
    and the less the two agree. It travels by the paper's network, RGMP, whose weights do not ship:
    vostool weights ls says where to get them. A GPU is of use.

    What is on the way is kept in DIR/.refined: a stopped run goes on with the same command, and a
    run with the next round's adapter leaves alone what no stroke has changed.
    """
    chosen = chosen_refiner(True, refiner_weights, device)
    render(
        *("refine", () if name is None else (name,), (adapter_file,), out, overlay_file),
        *(chosen, store_root, device, force, as_json),
    )
