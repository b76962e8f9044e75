"""``vostool refine``."""

from __future__ import annotations

from pathlib import Path

import click

from vostool.cli.common import (
    device_option,
    json_option,
    one_blas_thread,
    progress_bar,
    refiner_option,
    refiner_weights_option,
    report,
    store_option,
)
from vostool.cli.render import out_option, overlay_option

EPILOG = """\b
Examples:
  vostool refine bikes --adapter bikes.h5 --out masks
  vostool refine bikes --adapter bikes.h5 --out masks --overlay look.mp4
  vostool refine bikes --adapter bikes.h5 --out masks \\
      --refiner rgmp-resnet50 --refiner-weights weights.pth
"""


@click.command("refine", epilog=EPILOG)
@click.argument("name")
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
@refiner_option
@refiner_weights_option
@store_option
@device_option
@json_option
def command(
    name: str,
    adapter_file: Path,
    out: Path,
    overlay_file: Path | None,
    refiner: str,
    refiner_weights: str | None,
    store_root: Path,
    device: str,
    as_json: bool,
) -> None:
    """Write the mask of every frame, refined: masks travel from the annotated frames.

    From each frame that bears strokes its mask travels both ways, frame by frame, up to the middle
    towards the next such frame. What it brings is weighed against the classifier's answer, less the
    further it came and the less the two agree.

    What is on the way is kept in DIR/.refined: a stopped run goes on with the same command, and a
    run with the next round's adapter leaves alone what no stroke has changed.
    """
    one_blas_thread()
    from vostool import pipeline
    from vostool.adapter import read_adapter
    from vostool.store import FeatureStore

    with progress_bar(f"refine {name}") as progress:
        frames = pipeline.render(
            read_adapter(adapter_file),
            FeatureStore(store_root),
            out,
            name=name,
            overlay_file=overlay_file,
            refiner=pipeline.Refiner(refiner, refiner_weights, device),
            device=device,
            progress=progress,
        )
    report({"masks": str(out), "clip": name, "frames": frames}, as_json, str(out))
