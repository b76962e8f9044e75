"""``vostool extract``."""

from __future__ import annotations

from pathlib import Path

import click

from vostool.cli.common import (
    backbone_option,
    device_option,
    expand,
    for_each,
    frames_option,
    height_option,
    json_option,
    name_option,
    random_weights_option,
    reading_options,
    report,
    shard_option,
    store_option,
    strict_option,
    weights_option,
)
from vostool.pipeline.progress import progress_bar, say
from vostool.reading import Reading

EPILOG = """\b
Examples:
  vostool extract clip.mp4
  vostool extract frames/ --name dancer --frames 180:240
  vostool extract --davis-root DAVIS bear camel
  ls clips/*.mp4 | vostool extract - | vostool propagate -
"""


@click.command("extract", epilog=EPILOG)
@click.argument("clips", nargs=-1, required=True, metavar="CLIP...")
@store_option
@backbone_option
@weights_option
@random_weights_option
@name_option
@frames_option
@strict_option
@reading_options
@click.option(
    "--davis-root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="CLIPs are sequences of this DAVIS root.",
)
@height_option
@shard_option
@device_option
@json_option
def command(
    clips: tuple[str, ...],
    store_root: Path | str,
    backbone: str,
    weights: str | None,
    name: str | None,
    frames: tuple[int, int | None],
    strict: bool,
    davis_root: Path | None,
    network_height: int,
    shard: tuple[int, int],
    device: str,
    as_json: bool,
    reading: Reading,
) -> None:
    """Run the backbone over clips and keep their features.

    CLIP is a video file, a folder of images, a pattern such as shot_%04d.exr, a TIFF of many pages,
    an OME-Zarr image, or - for one a line on standard input.
    Each finished clip's name goes to standard output. A clip whose features are stored already
    is done at once; an interrupted run is taken up where it stopped.
    """
    from vostool.clips import Clip, name_clips, open_clip, open_davis_sequence
    from vostool.pipeline.extraction import extract
    from vostool.store import FeatureStore

    sources = expand(clips)
    if name is not None and len(sources) != 1:
        raise click.UsageError("--name goes with one clip")
    if davis_root is not None and reading != Reading():
        raise click.UsageError(
            "--deinterlace, --contrast and --channel do not go with --davis-root"
        )

    def opened(source: str) -> Clip:
        if davis_root is not None:
            return open_davis_sequence(davis_root, source, name=name, frames=frames)
        return open_clip(source, name=name, frames=frames, strict=strict, reading=reading)

    if name is None:
        name_clips(sources)

    def work(source: str) -> None:
        clip = opened(source)
        with progress_bar(f"extract {clip.name}") as progress:
            stage = extract(
                clip,
                FeatureStore(store_root).clip(clip.name),
                backbone=backbone,
                weights=weights,
                device=device,
                network_height=network_height,
                progress=progress,
                say=say,
            )
        result = {"clip": clip.name, "frames": stage.frames, "bytes": stage.bytes}
        report(result, as_json, clip.name)

    for_each(sources, work, shard=shard)
