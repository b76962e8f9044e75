"""``vostool export``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vostool.cli.common import (
    cleaning_options,
    device_option,
    force_option,
    frames_option,
    json_option,
    one_blas_thread,
    reading_options,
    report,
    store_option,
)
from vostool.cli.completion import clips
from vostool.pipeline.progress import progress_bar
from vostool.reading import Reading
from vostool.writers import WRITERS

EPILOG = """\b
Examples:
  vostool export masks --as coco --out bikes.json
  vostool export --adapter bikes.h5 --as youtube-vis --out bikes.json
  vostool export --adapter bikes.h5 --as prores --soft --out bikes.mov
  vostool export masks --as yolo --clip bikes.mp4 --frames 187:242 --out bikes-yolo
"""
FORMATS = "\b\nThe formats:\n" + "\n".join(
    f"  {name:<16} {form.makes}{', needs --clip' if form.shows_frames else ''}"
    for name, form in WRITERS.items()
)


@click.command("export", epilog=f"{FORMATS}\n\n{EPILOG}")
@click.argument("masks", metavar="[NAME|MASKS_DIR]", required=False, shell_complete=clips)
@click.option(
    "--as", "form", type=click.Choice(list(WRITERS)), help="The format to write.  [required]"
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The file, or the folder; it appears when it is whole.",
)
@click.option(
    "--adapter",
    "adapter_files",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE.h5",
    help="Make the masks of a clip in the store, as vostool render does.",
)
@click.option(
    "--clip",
    "source",
    type=click.Path(path_type=Path),
    metavar="CLIP",
    help="What the masks of a folder are of, as vostool extract takes it.",
)
@frames_option
@reading_options
@cleaning_options
@click.option(
    "--background",
    metavar="COLOUR|CLIP",
    help="What composite shows behind the objects: a colour such as #00ff00, or another clip.",
)
@click.option("--soft", is_flag=True, help="Alpha as the decoder's probabilities, with --adapter.")
@click.option(
    "--overlap",
    is_flag=True,
    help="Each object's own mask, whatever another claims, with --adapter.",
)
@store_option
@device_option
@force_option
@json_option
def command(
    masks: str | None,
    form: str | None,
    out: Path,
    adapter_files: tuple[Path, ...],
    source: Path | None,
    frames: tuple[int, int | None],
    store_root: Path | str,
    device: str,
    force: bool,
    as_json: bool,
    cleaning: dict[str, Any],
    background: str | None,
    soft: bool,
    overlap: bool,
    reading: Reading,
) -> None:
    """Write masks in the formats of other tools.

    MASKS_DIR is a folder that vostool render wrote. NAME is a clip in the store, by default the one
    that the adapter was fitted on. What each format keeps, and what it loses, is told in the
    documentation of formats.
    """
    if form is None:
        raise click.UsageError(f"give a format by --as: {', '.join(WRITERS)}")
    if not adapter_files and (masks is None or not Path(masks).is_dir()):
        raise click.UsageError("give a folder of masks, or an adapter by --adapter")
    if adapter_files and source is not None:
        raise click.UsageError("--clip goes with a folder of masks; an adapter knows its clip")
    one_blas_thread()
    from vostool.cleaning import Cleaning
    from vostool.pipeline.background import Background

    how: dict[str, Any] = {
        "cleaning": Cleaning(**cleaning), "soft": soft, "overlap": overlap, "force": force,
        "background": None if background is None else Background.of(background),
    }  # fmt: skip
    with progress_bar(f"export {masks or adapter_files[0]}") as how["progress"]:
        if adapter_files:
            count = _of_session(masks, adapter_files, store_root, device, form, out, how)
        else:
            count = _of_folder(Path(str(masks)), source, frames, reading, form, out, how)
    report({"out": str(out), "format": form, "frames": count}, as_json, str(out))


def _of_folder(
    masks: Path,
    source: Path | None,
    frames: tuple[int, int | None],
    reading: Reading,
    form: str,
    out: Path,
    how: dict[str, Any],
) -> int:
    from vostool.clips import open_clip
    from vostool.pipeline.export import export, open_masks

    clip = None if source is None else open_clip(source, frames=frames, reading=reading)
    return export(open_masks(masks), form, out, clip=clip, **how)


def _of_session(
    name: str | None,
    adapter_files: tuple[Path, ...],
    store_root: Path | str,
    device: str,
    form: str,
    out: Path,
    how: dict[str, Any],
) -> int:
    from vostool.adapter import Adapter
    from vostool.outputs import check_apart
    from vostool.session import Session
    from vostool.store import FeatureStore

    check_apart(out, adapter_files)
    adapters = [Adapter.read(file) for file in adapter_files]
    session = Session.resume(FeatureStore(store_root), adapters, clip=name, device=device)
    return session.export(form, out, **how)
