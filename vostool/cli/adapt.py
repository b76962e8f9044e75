"""``vostool adapt``."""

from __future__ import annotations

from pathlib import Path

import click

from vostool.cli import completion
from vostool.cli.common import (
    any_clip_option,
    device_option,
    features_option,
    fitted_backbone_option,
    force_option,
    json_option,
    one_blas_thread,
    preset_option,
    report,
    seed_option,
    store_option,
)

EPILOG = """\b
Examples:
  vostool adapt bikes --scribbles round1.json --out bikes.h5
  vostool adapt --from bikes.h5 --scribbles round2.json --out bikes2.h5
  vostool adapt bikes --scribbles painted/ --out bikes.h5
  vostool adapt bikes --masks first-frame/ --out bikes.h5
  vostool adapt mouse01 mouse02 --scribbles 01.json --scribbles 02.json --out mice.h5
  vostool adapt mouse17 --from mice.h5 --scribbles fix.json --out mice2.h5
"""


@click.command("adapt", epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completion.clips)
@click.option(
    "--scribbles",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A round's new strokes: DAVIS interactive JSON, or a folder of indexed PNGs named by "
    "frame (0 blank, k object k, 255 background). Give it again for further rounds, or of several "
    "clips once for each NAME, in their order.",
)
@click.option(
    "--masks",
    "known",
    type=click.Path(path_type=Path),
    metavar="DIR|COCO.json",
    help="Masks of some frames, of any tool: images named by frame as 00012.png (k object k, 0 "
    "background, 255 unknown), or a COCO or YouTube-VIS file: a round before all strokes.",
)
@click.option(
    "--from",
    "resume_from",
    type=click.Path(path_type=Path),
    metavar="OLD.h5",
    help="Go on from an earlier adapter, of this clip or others, with its preset, features, "
    "backbone and seed.",
)
@click.option(
    "--previous-masks",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The masks that these strokes correct, as rendered, if they are not the earlier adapter's "
    "alone: those of several models, or refined ones.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="NEW.h5",
    help="The adapter file to write.",
)
@store_option
@fitted_backbone_option
@features_option
@preset_option
@seed_option
@device_option
@any_clip_option
@force_option
@json_option
def command(
    names: tuple[str, ...],
    files: tuple[Path, ...],
    known: Path | None,
    resume_from: Path | None,
    previous_masks: Path | None,
    out: Path,
    store_root: Path | str,
    backbone: str | None,
    features: str | None,
    preset: str | None,
    seed: int | None,
    device: str,
    any_clip: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Fit the classifier of a clip's objects to scribbles: Eq. 3, in closed form.

    NAME is a clip in the store; with --from an adapter of one clip it may be left out. With --from,
    the sampling and the solution go on from an earlier adapter, whose samples are all kept. Of
    several clips, each with its --scribbles, the adapter is the fit on all of them: object ids mean
    the same in each, and it renders clips that it never saw.
    """
    one_blas_thread()
    from vostool.adapter import Adapter
    from vostool.images import read_mask
    from vostool.known_masks import read_known_masks
    from vostool.opening import OpenClip
    from vostool.outputs import check_apart
    from vostool.over_clips import adapt
    from vostool.scribbles import read_scribbles
    from vostool.store import FeatureStore
    from vostool.writers.png import mask_file

    _check_go_together(names, files, known, resume_from, previous_masks)
    store = FeatureStore(store_root)
    read = [folder for folder in (known, previous_masks) if folder is not None]
    check_apart(out, [*files, *store.folders, *read])
    rounds = [] if known is None else [read_known_masks(known)]
    rounds += [read_scribbles(file) for file in files]
    earlier = None if resume_from is None else Adapter.read(resume_from)
    if earlier is not None and not names:
        names = (earlier.only_clip,)
    clips = [OpenClip(store.clip(name)) for name in names]
    shown = None
    if previous_masks is not None:
        frames = rounds[0].annotated_frames
        shown = {frame: read_mask(mask_file(previous_masks, frame)) for frame in frames}
    adapter = adapt(
        zip(clips * len(rounds) if len(clips) == 1 else clips, rounds, strict=True),
        adapter=earlier,
        preset=preset,
        features=features,
        backbone=backbone,
        seed=seed,
        device=device,
        previous_masks=shown,
        any_clip=any_clip,
    )
    adapter.write(out, force=force)
    positive, negative = adapter.counts()
    result = {
        "adapter": str(out),
        "clips": [clip.name for clip in adapter.clips],
        "objects": list(adapter.object_ids[1:]),
        "rounds": adapter.rounds,
        "positives": positive,
        "negatives": negative,
    }
    report(result, as_json, str(out))


def _check_go_together(
    names: tuple[str, ...],
    files: tuple[Path, ...],
    known: Path | None,
    resume_from: Path | None,
    previous_masks: Path | None,
) -> None:
    """Raise click.UsageError unless it is plain which strokes are on which clip."""
    if not names and resume_from is None:
        raise click.UsageError("give the clip's NAME, or --from an adapter of it")
    if not files and known is None:
        raise click.UsageError("give strokes by --scribbles, or masks by --masks")
    if len(names) < 2:
        return
    for option, value in (("--masks", known), ("--previous-masks", previous_masks)):
        if value is not None:
            raise click.UsageError(f"{option} goes with one clip; begin with it, and go on --from")
    if len(files) != len(names):
        raise click.UsageError(
            f"{len(names)} clips, but --scribbles {len(files)} times; give it once for each clip, "
            "in their order"
        )
