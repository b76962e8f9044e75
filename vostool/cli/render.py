"""``vostool render``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vostool.cli import completion
from vostool.cli.common import (
    chosen_refiner,
    cleaning_options,
    device_option,
    expand,
    for_each,
    force_option,
    json_option,
    one_blas_thread,
    out_option,
    overlay_option,
    refine_option,
    refiner_weights_option,
    report,
    shard_option,
    store_option,
)
from vostool.pipeline.progress import progress_bar

if TYPE_CHECKING:
    from vostool.mask_propagation import Refiner

EPILOG = """\b
Examples:
  vostool render --adapter bikes.h5 --out masks
  vostool render --adapter bikes.h5 --out masks --overlay look.mp4
  vostool render --adapter bikes.h5 --out masks --uncertainty doubt
  vostool render --adapter bikes.h5 --out masks --refine
  vostool render --adapter resnet.h5 --adapter xception.h5 --out masks
  vostool render - --adapter mice.h5 --out masks < all-clips.txt
"""


@click.command("render", epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completion.clips)
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
    "--uncertainty",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write how doubtful each pixel is, %05d.png: black is sure, white is even odds.",
)
@cleaning_options
@refine_option
@refiner_weights_option
@shard_option
@store_option
@device_option
@force_option
@json_option
def command(
    names: tuple[str, ...],
    adapter_files: tuple[Path, ...],
    out: Path,
    overlay_file: Path | None,
    uncertainty: Path | None,
    refines: bool,
    refiner_weights: str | None,
    shard: tuple[int, int],
    store_root: Path | str,
    device: str,
    force: bool,
    as_json: bool,
    cleaning: dict[str, Any],
) -> None:
    """Write the mask of every frame of a clip, at the clip's own resolution.

    NAME is a clip in the store whose features were made as those that the adapter was fitted on; by
    default the clip that it was fitted on. The masks appear in the folder together, when all of
    them are made. Of several clips, or - for one a line on standard input, each has its masks in
    DIR/NAME; one that fails is named, and the others are done all the same. --smooth, --drop-specks
    or --largest, and --fill-holes clean the masks, in this order.
    """
    if uncertainty is not None and (refines or refiner_weights):
        raise click.UsageError("refined masks have no probabilities: --uncertainty goes without")
    chosen = chosen_refiner(refines, refiner_weights, device)
    render(
        "render", names, adapter_files, out, overlay_file, chosen, store_root, device, force,
        as_json, cleaning, shard, uncertainty,
    )  # fmt: skip


def render(
    what: str,
    names: tuple[str, ...],
    adapter_files: tuple[Path, ...],
    out: Path,
    overlay_file: Path | None,
    refiner: Refiner | None,
    store_root: Path | str,
    device: str,
    force: bool,
    as_json: bool,
    cleaning: dict[str, Any] | None = None,
    shard: tuple[int, int] = (1, 1),
    uncertainty: Path | None = None,
) -> None:
    """What ``render`` and ``refine`` do, told of under their own name."""
    one_blas_thread()
    from vostool.adapter import Adapter
    from vostool.cleaning import Cleaning
    from vostool.outputs import check_apart
    from vostool.pipeline.refinement import check_clip
    from vostool.session import Session
    from vostool.store import FeatureStore

    clean = Cleaning(**cleaning or {})
    clips = list(dict.fromkeys(expand(names)))
    many = len(clips) > 1 or "-" in names
    if many and overlay_file is not None:
        raise click.UsageError("--overlay goes with one clip")
    for output in (out, overlay_file, uncertainty):
        if output is not None:
            check_apart(output, adapter_files)
    adapters = [Adapter.read(file) for file in adapter_files]
    store = FeatureStore(store_root)

    def work(clip: str) -> None:
        folder = out / clip if many else out
        maps = uncertainty / clip if many and uncertainty is not None else uncertainty
        if refiner is not None:
            check_clip(adapters[0], clip)
        session = Session.resume(store, adapters, clip=clip if names else None, device=device)
        with progress_bar(f"{what} {clip}") as progress:
            frames = session.save(
                folder, overlay=overlay_file, uncertainty=maps, refiner=refiner, cleaning=clean,
                force=force, progress=progress,
            )  # fmt: skip
        report({"masks": str(folder), "clip": clip, "frames": frames}, as_json, str(folder))

    for_each(clips if names else [adapters[0].only_clip], work, shard=shard)
