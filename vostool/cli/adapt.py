"""``vostool adapt``."""

from __future__ import annotations

from pathlib import Path

import click

from vostool.cli.common import (
    backbone_option,
    device_option,
    features_option,
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
  vostool adapt bikes --scribbles round2.json --from bikes.h5 --out bikes2.h5
  vostool adapt bikes --scribbles painted/ --out bikes.h5
"""


@click.command("adapt", epilog=EPILOG)
@click.argument("name")
@click.option(
    "--scribbles",
    "files",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A round's new strokes: DAVIS interactive JSON, or a folder of indexed PNGs named by "
    "frame (0 blank, k object k, 255 background). Give it again for further rounds.",
)
@click.option(
    "--from",
    "earlier_file",
    type=click.Path(path_type=Path),
    metavar="OLD.h5",
    help="Go on from an earlier round's adapter.",
)
@click.option(
    "--shown",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The masks that these strokes correct, as rendered, if they are not the earlier adapter's "
    "alone: those of several models.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="NEW.h5", help="The adapter."
)
@store_option
@backbone_option
@features_option
@preset_option
@seed_option
@device_option
@json_option
def command(
    name: str,
    files: tuple[Path, ...],
    earlier_file: Path | None,
    shown: Path | None,
    out: Path,
    store_root: Path,
    backbone: str,
    features: str | None,
    preset: str,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Fit the classifier of a clip's objects to scribbles: Eq. 3, in closed form.

    NAME is a clip in the store. With --from, the features, sampling and solution go on from an
    earlier adapter, whose samples are all kept.
    """
    one_blas_thread()
    from vostool import pipeline
    from vostool.adapter import PRESETS, read_adapter, write_adapter
    from vostool.masks import mask_file, read_mask
    from vostool.scribbles import read_scribbles
    from vostool.store import FeatureStore

    rounds = [read_scribbles(file) for file in files]
    earlier = None if earlier_file is None else read_adapter(earlier_file)
    adapter = pipeline.adapt(
        name,
        FeatureStore(store_root, backbone),
        rounds,
        preset=PRESETS[preset],
        features=features if earlier is None else None,
        earlier=earlier,
        shown=(
            None
            if shown is None
            else {f: read_mask(mask_file(shown, f)) for f in rounds[0].annotated_frames}
        ),
        seed=seed,
        device=device,
    )
    write_adapter(out, adapter)
    positive, negative = adapter.samples.counts()
    result = {
        "adapter": str(out),
        "clip": name,
        "objects": list(adapter.object_ids[1:]),
        "rounds": len(adapter.provenance.scribbles),
        "positives": positive,
        "negatives": negative,
    }
    report(result, as_json, str(out))
