"""``vostool render``."""

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

EPILOG = """\b
Examples:
  vostool render bikes --adapter bikes.h5 --out masks
  vostool render bikes --adapter bikes.h5 --out masks --overlay look.mp4
  vostool render bikes --adapter bikes.h5 --out masks --refine
  vostool render bikes --adapter resnet.h5 --adapter xception.h5 --out masks
"""

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


@click.command("render", epilog=EPILOG)
@click.argument("name")
@click.option(
    "--adapter",
    "adapter_files",
    type=click.Path(path_type=Path),
    required=True,
    multiple=True,
    metavar="FILE.h5",
    help="What vostool adapt wrote. Given again, for another network's features of the same clip, "
    "the models' scores are averaged.",
)
@out_option
@overlay_option
@click.option(
    "--refine",
    "refines",
    is_flag=True,
    help="Let masks travel from the annotated frames, as vostool refine does.",
)
@refiner_option
@refiner_weights_option
@store_option
@device_option
@json_option
def command(
    name: str,
    adapter_files: tuple[Path, ...],
    out: Path,
    overlay_file: Path | None,
    refines: bool,
    refiner: str,
    refiner_weights: str | None,
    store_root: Path,
    device: str,
    as_json: bool,
) -> None:
    """Write the mask of every frame of a clip, at the clip's own resolution.

    The masks appear in the folder together, when all of them are made.
    """
    one_blas_thread()
    from vostool import pipeline
    from vostool.adapter import read_adapter
    from vostool.store import FeatureStore

    adapters = [read_adapter(file) for file in adapter_files]
    with progress_bar(f"render {name}") as progress:
        frames = pipeline.render(
            adapters,
            FeatureStore(store_root),
            out,
            name=name,
            overlay_file=overlay_file,
            refiner=pipeline.Refiner(refiner, refiner_weights, device) if refines else None,
            device=device,
            progress=progress,
        )
    report({"masks": str(out), "clip": name, "frames": frames}, as_json, str(out))
