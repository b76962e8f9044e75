"""``vostool render``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vostool.cli import completion
from vostool.cli.common import (
    chosen_refiner,
    device_option,
    force_option,
    json_option,
    one_blas_thread,
    out_option,
    overlay_option,
    refine_option,
    refiner_weights_option,
    report,
    store_option,
)
from vostool.pipeline.progress import progress_bar

if TYPE_CHECKING:
    from vostool.mask_propagation import Refiner

EPILOG = """\b
Examples:
  vostool render --adapter bikes.h5 --out masks
  vostool render --adapter bikes.h5 --out masks --overlay look.mp4
  vostool render --adapter bikes.h5 --out masks --refine
  vostool render --adapter resnet.h5 --adapter xception.h5 --out masks
"""


@click.command("render", epilog=EPILOG)
@click.argument("name", required=False, shell_complete=completion.clips)
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
@refine_option
@refiner_weights_option
@store_option
@device_option
@force_option
@json_option
def command(
    name: str | None,
    adapter_files: tuple[Path, ...],
    out: Path,
    overlay_file: Path | None,
    refines: bool,
    refiner_weights: str | None,
    store_root: Path | str,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """Write the mask of every frame of a clip, at the clip's own resolution.

    NAME is a clip in the store; by default the one that the adapter was fitted on. The masks appear
    in the folder together, when all of them are made.
    """
    chosen = chosen_refiner(refines, refiner_weights, device)
    render(
        "render", name, adapter_files, out, overlay_file, chosen, store_root, device, force, as_json
    )


def render(
    what: str,
    name: str | None,
    adapter_files: tuple[Path, ...],
    out: Path,
    overlay_file: Path | None,
    refiner: Refiner | None,
    store_root: Path | str,
    device: str,
    force: bool,
    as_json: bool,
) -> None:
    """What ``render`` and ``refine`` do, told of under their own name."""
    one_blas_thread()
    from vostool.adapter import Adapter
    from vostool.outputs import check_apart
    from vostool.pipeline.refinement import check_clip
    from vostool.session import Session
    from vostool.store import FeatureStore

    for output in (out, *([] if overlay_file is None else [overlay_file])):
        check_apart(output, adapter_files)
    adapters = [Adapter.read(file) for file in adapter_files]
    clip = name or adapters[0].provenance.clip
    if refiner is not None:
        check_clip(adapters[0], clip)
    session = Session.resume(FeatureStore(store_root), adapters, clip=name, device=device)
    with progress_bar(f"{what} {clip}") as progress:
        frames = session.save(
            out, overlay=overlay_file, refiner=refiner, force=force, progress=progress
        )
    report({"masks": str(out), "clip": clip, "frames": frames}, as_json, str(out))
