"""``vostool export``."""

from __future__ import annotations

from pathlib import Path

import click

from vostool.cli.common import force_option, frames_option, json_option, report
from vostool.pipeline.progress import progress_bar
from vostool.writers import WRITERS

EPILOG = """\b
Examples:
  vostool export masks --as coco --out bikes.json
  vostool export masks --as yolo --clip bikes.mp4 --frames 187:242 --out bikes-yolo
"""
FORMATS = "\b\nThe formats:\n" + "\n".join(
    f"  {name:<12} {form.makes}{', needs --clip' if form.shows_frames else ''}"
    for name, form in WRITERS.items()
)


@click.command("export", epilog=f"{FORMATS}\n\n{EPILOG}")
@click.argument("masks", type=click.Path(file_okay=False, path_type=Path), metavar="MASKS_DIR")
@click.option(
    "--as", "form", type=click.Choice(list(WRITERS)), required=True, help="The format to write."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The file, or the folder; it appears when it is whole.",
)
@click.option(
    "--clip",
    "source",
    type=click.Path(path_type=Path),
    metavar="CLIP",
    help="What the masks are of, as vostool extract takes it.",
)
@frames_option
@force_option
@json_option
def command(
    masks: Path,
    form: str,
    out: Path,
    source: Path | None,
    frames: tuple[int, int | None],
    force: bool,
    as_json: bool,
) -> None:
    """Write masks in the formats of other tools.

    MASKS_DIR is a folder that vostool render wrote. What each format keeps, and what it loses, is
    told in the documentation of formats.
    """
    from vostool.clips import open_clip
    from vostool.pipeline.export import export, open_masks

    clip = None if source is None else open_clip(source, frames=frames)
    with progress_bar(f"export {masks}") as progress:
        count = export(open_masks(masks), form, out, clip=clip, force=force, progress=progress)
    report({"out": str(out), "format": form, "frames": count}, as_json, str(out))
