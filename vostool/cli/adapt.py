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
"""


@click.command("adapt", epilog=EPILOG)
@click.argument("name", required=False, shell_complete=completion.clips)
@click.option(
    "--scribbles",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A round's new strokes: DAVIS interactive JSON, or a folder of indexed PNGs named by "
    "frame (0 blank, k object k, 255 background). Give it again for further rounds.",
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
    help="Go on from an earlier round's adapter, with its preset, features, backbone and seed.",
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
    name: str | None,
    files: tuple[Path, ...],
    known: Path | None,
    resume_from: Path | None,
    previous_masks: Path | None,
    out: Path,
    store_root: Path,
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

    NAME is a clip in the store; with --from it may be left out. With --from, the sampling and the
    solution go on from an earlier adapter, whose samples are all kept.
    """
    one_blas_thread()
    from vostool.adapter import Adapter
    from vostool.images import read_mask
    from vostool.known_masks import read_known_masks
    from vostool.opening import OpenClip
    from vostool.outputs import check_apart
    from vostool.scribbles import read_scribbles
    from vostool.store import FeatureStore
    from vostool.writers.png import mask_file

    if name is None and resume_from is None:
        raise click.UsageError("give the clip's NAME, or --from an adapter of it")
    if not files and known is None:
        raise click.UsageError("give strokes by --scribbles, or masks by --masks")
    read = [folder for folder in (known, previous_masks) if folder is not None]
    check_apart(out, [*files, store_root, *read])
    rounds = [] if known is None else [read_known_masks(known)]
    rounds += [read_scribbles(file) for file in files]
    earlier = None if resume_from is None else Adapter.read(resume_from)
    clip = name or (earlier.provenance.clip if earlier is not None else "")
    session = OpenClip(FeatureStore(store_root).clip(clip)).session(
        preset, adapter=earlier, features=features, backbone=backbone, seed=seed, device=device
    )
    for number, scribbles in enumerate(rounds):
        shown = None
        if previous_masks is not None and number == 0:
            frames = scribbles.annotated_frames
            shown = {frame: read_mask(mask_file(previous_masks, frame)) for frame in frames}
        session.add_scribbles(scribbles, previous_masks=shown, any_clip=any_clip)
    session.adapter.write(out, force=force)
    positive, negative = session.adapter.samples.counts()
    result = {
        "adapter": str(out),
        "clip": clip,
        "objects": list(session.object_ids),
        "rounds": session.rounds,
        "positives": positive,
        "negatives": negative,
    }
    report(result, as_json, str(out))
