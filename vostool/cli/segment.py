"""``vostool segment``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from vostool.cli.common import (
    backbone_option,
    device_option,
    features_option,
    frames_option,
    json_option,
    model_option,
    preset_option,
    progress_bar,
    random_weights_option,
    report,
    say,
    seed_option,
    store_option,
    weights_option,
)
from vostool.cli.render import out_option, overlay_option

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
@frames_option
@store_option
@backbone_option
@weights_option
@random_weights_option
@features_option
@model_option
@device_option
@preset_option
@seed_option
@json_option
def command(
    clip: str,
    files: tuple[Path, ...],
    out: Path,
    overlay_file: Path | None,
    frames: tuple[int, int | None],
    store_root: Path,
    backbone: str,
    weights: str | None,
    features: str | None,
    model: str,
    device: str,
    preset: str,
    seed: int,
    as_json: bool,
) -> None:
    """All in one, for a first try: extract, propagate if the preset reads context, adapt, render.

    CLIP is a folder of frames or a video file. The adapter is kept beside the masks, as
    DIR/adapter.h5, so that vostool adapt --from can go on from it.
    """
    from vostool import pipeline
    from vostool.adapter import PRESETS, write_adapter
    from vostool.clips import open_clip
    from vostool.scribbles import read_scribbles
    from vostool.store import READS, FeatureStore

    rounds = [read_scribbles(file) for file in files]
    opened = open_clip(clip, frames=frames)
    for scribbles in rounds:
        scribbles.check_against(opened.expected_frames, opened.size)
    store = FeatureStore(store_root, backbone)
    chosen = PRESETS[preset]
    if features is not None:
        chosen = replace(chosen, features=features)
    pipeline.check_models(chosen, backbone, weights, model)
    with progress_bar(f"extract {opened.name}") as progress:
        pipeline.extract(opened, store, weights=weights, device=device, progress=progress, say=say)
    if "context" in READS[chosen.features]:
        with progress_bar(f"propagate {opened.name}") as progress:
            pipeline.propagate(
                opened.name, store, model=model, device=device, progress=progress, say=say
            )
    adapter = pipeline.adapt(opened.name, store, rounds, preset=chosen, seed=seed, device=device)
    with progress_bar(f"render {opened.name}") as progress:
        count = pipeline.render(
            adapter, store, out, overlay_file=overlay_file, device=device, progress=progress
        )
    write_adapter(out / "adapter.h5", adapter)
    report({"masks": str(out), "clip": opened.name, "frames": count}, as_json, str(out))
