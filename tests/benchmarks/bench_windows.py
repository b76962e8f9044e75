"""Decoding where an object may be, against decoding everywhere: how many pixels differ.

    python tests/benchmarks/bench_windows.py --davis-root DAVIS [--subset val] [--store DIR]

A line a sequence and round of the robot's or a person's strokes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from vostool.backbones import DEFAULT
from vostool.davis.root import DavisSequence, read_root
from vostool.decoder import shape
from vostool.opening import Settings
from vostool.pipeline.preparation import Model, prepare
from vostool.pipeline.progress import progress_bar, say
from vostool.session import Session
from vostool.store import FeatureStore, StoredClip

ROUNDS = 2


@click.command()
@click.option("--davis-root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--subset", default=None)
@click.option("--backbone", default=DEFAULT, show_default=True)
@click.option("--store", default=Path("vostool-store"), type=click.Path(path_type=Path))
def main(davis_root: Path, subset: str | None, backbone: str, store: Path) -> None:
    """Print the table."""
    click.echo("| sequence | round | frames | objects | pixels that differ |")
    click.echo("|---|---:|---:|---:|---:|")
    differing = pixels = 0
    for sequence in read_root(davis_root, subset=subset, say=say):
        for number, (everywhere, windows) in enumerate(
            rounds(davis_root, sequence, backbone, store), 1
        ):
            differ = everywhere != windows
            differing, pixels = differing + int(differ.sum()), pixels + differ.size
            click.echo(
                f"| {sequence.name} | {number} | {len(windows)} | {sequence.objects} "
                f"| {differ.mean():.4%} |"
            )
    click.echo(f"\nOf all pixels {differing / pixels:.5%} differ.")


def rounds(
    root: Path, sequence: DavisSequence, backbone: str, store: Path
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    """After each round the masks of a sequence, decoded everywhere and in windows."""
    preset = Settings.of(backbone=backbone).preset
    stored = FeatureStore(store).clip(sequence.name)
    prepare(sequence.clip, stored, Model(backbone), preset, bar=progress_bar, say=say)
    session = Session([stored.features(backbone, preset.features)], preset=preset)
    for number in range(1, ROUNDS + 1):
        file = root / "Scribbles" / sequence.name / f"{number:03d}.json"
        if file.exists():
            session.add_scribbles(file)
            # Other sessions of the same adapter: nothing that one remembers reaches the other.
            yield _masks(session, stored, -np.inf), _masks(session, stored, shape.PRESENT)


def _masks(session: Session, stored: StoredClip, present: float) -> npt.NDArray[np.uint8]:
    """Masks of every frame, decoded where presence is above a logit."""
    preset = session.adapter.preset
    reader = stored.features(session.adapter.provenance.network, preset.features)
    other = Session([reader], preset=preset, adapters=session.adapters)
    usual = shape.PRESENT
    shape.PRESENT = present
    try:
        return np.stack([mask for _, mask in other.masks()])
    finally:
        shape.PRESENT = usual


if __name__ == "__main__":
    main()
