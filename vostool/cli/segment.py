"""``vostool segment``."""

from __future__ import annotations

from pathlib import Path

import click

from vostool.cli.common import (
    any_clip_option,
    backbone_option,
    chosen_refiner,
    device_option,
    features_option,
    force_option,
    frames_option,
    height_option,
    json_option,
    model_option,
    name_option,
    out_option,
    overlay_option,
    preset_option,
    random_weights_option,
    reading_options,
    refine_option,
    refiner_weights_option,
    report,
    seed_option,
    store_option,
    strict_option,
    weights_option,
)
from vostool.pipeline.progress import progress_bar
from vostool.reading import Reading

EPILOG = """\b
Example:
  vostool segment bikes.mp4 --frames 180:240 --scribbles bikes.json --out masks \\
      --overlay look.mp4
"""


@click.command("segment", epilog=EPILOG)
@click.argument("clip")
@click.option(
    "--scribbles",
    "files",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A round's strokes, as vostool adapt takes them.",
)
@out_option
@overlay_option
@refine_option
@refiner_weights_option
@name_option
@frames_option
@strict_option
@reading_options
@height_option
@store_option
@backbone_option
@weights_option
@random_weights_option
@features_option
@model_option
@device_option
@preset_option
@seed_option
@any_clip_option
@force_option
@json_option
def command(
    clip: str,
    files: tuple[Path, ...],
    out: Path,
    overlay_file: Path | None,
    refines: bool,
    refiner_weights: str | None,
    name: str | None,
    frames: tuple[int, int | None],
    strict: bool,
    network_height: int,
    store_root: Path | str,
    backbone: str,
    weights: str | None,
    features: str | None,
    model: str,
    device: str,
    preset: str | None,
    seed: int | None,
    any_clip: bool,
    force: bool,
    as_json: bool,
    reading: Reading,
) -> None:
    """All in one, for a first try: extract, propagate for the preset paper, adapt, render.

    CLIP is a video file or images, as vostool extract takes them. The adapter is kept beside the
    masks, as DIR/adapter.h5, so that vostool adapt --from can go on from it.
    """
    chosen = chosen_refiner(refines, refiner_weights, device)
    from vostool.clips import open_clip
    from vostool.opening import OpenClip
    from vostool.outputs import check_apart
    from vostool.scribbles import read_scribbles
    from vostool.store import FeatureStore

    for output in (out, *([] if overlay_file is None else [overlay_file])):
        check_apart(output, [Path(clip), *files])
    rounds = [read_scribbles(file) for file in files]
    source = open_clip(clip, name=name, frames=frames, strict=strict, reading=reading)
    for scribbles in rounds:
        scribbles.check_against(source.expected_frames, source.size)
    session = OpenClip(FeatureStore(store_root).clip(source.name), source).session(
        preset,
        features=features,
        backbone=backbone,
        weights=weights,
        model=model,
        seed=seed,
        device=device,
        network_height=network_height,
    )
    for scribbles in rounds:
        session.add_scribbles(scribbles, any_clip=any_clip)
    with progress_bar(f"render {source.name}") as progress:
        count = session.save(
            out,
            overlay=overlay_file,
            with_adapter=True,
            refiner=chosen,
            force=force,
            progress=progress,
        )
    report({"masks": str(out), "clip": source.name, "frames": count}, as_json, str(out))
