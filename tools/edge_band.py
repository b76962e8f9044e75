"""What a band at a finer stride, round the masks' outlines alone, could gain at the very most.

    python tools/edge_band.py --davis-root THIRD

Prints a Markdown table of J, F and J&F after rounds 1 and 3 of the robot's strokes: of the masks;
of the masks where all within R pixels of an outline is as in the truth, which no band of that width
can pass; and of the truth itself, brought down to a stride and up again, which no network that
decides at that stride can. Nothing is chosen on ``val``: give it the training sequences that were
held back, made small by ``tools/thin.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import cv2
import numpy as np
import numpy.typing as npt

from vostool.davis.metrics import boundary, f_measure, jaccard
from vostool.davis.root import DavisSequence, read_root
from vostool.davis.session import Protocol, run_sample
from vostool.opening import Settings
from vostool.pipeline.preparation import Model, prepare
from vostool.pipeline.progress import progress_bar, say
from vostool.session import Session
from vostool.store import FeatureStore

Masks = npt.NDArray[np.uint8]
SHOWN = (1, 3)
"""Rounds after which there is a table row."""
WIDTHS = (2, 4, 8)
"""Pixels to either side of an outline."""
STRIDES = (4, 2)


@click.command()
@click.option("--davis-root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--backbone", default="efficientnet-lite0", show_default=True)
@click.option("--store", default=Path("vostool-store"), type=click.Path(path_type=Path))
def main(davis_root: Path, backbone: str, store: Path) -> None:
    """Print the table."""
    found: dict[str, list[tuple[float, float]]] = {}
    for sequence in read_root(davis_root, subset=None, scribbles="Scribbles", say=say):
        truth, ids = sequence.truth(), list(range(1, sequence.objects + 1))
        for number, masks in rounds(sequence, backbone, FeatureStore(store)):
            for name, variant in variants(masks, truth, ids).items():
                scores = (jaccard(truth, variant, ids), f_measure(truth, variant, ids))
                row = name if name.startswith("truth") else f"round {number}, {name}"
                found.setdefault(row, []).append((scores[0].mean(), scores[1].mean()))
    click.echo("| | J | F | J&F |\n|---|---|---|---|")
    for row, every in sorted(found.items()):
        j, f = np.mean(every, axis=0)
        click.echo(f"| {row} | {j:.3f} | {f:.3f} | {(j + f) / 2:.3f} |")


def rounds(
    sequence: DavisSequence, backbone: str, store: FeatureStore
) -> Iterator[tuple[int, Masks]]:
    """The masks (T, H, W) after each round that is shown."""
    preset, stored = Settings.of(backbone=backbone).preset, store.clip(sequence.name)
    prepare(sequence.clip, stored, Model(backbone), preset, bar=progress_bar, say=say)
    session = Session([stored.features(backbone, preset.features)], preset=preset)
    every: list[Masks] = []

    def segment(scribbles: Any) -> Masks:
        if scribbles.annotated_frames or not every:
            session.add_scribbles(scribbles)
            every.append(np.stack([mask for _, mask in session.masks()]))
        return every[-1]

    with TemporaryDirectory() as scratch:
        run_sample(sequence, 1, segment, Protocol(max(SHOWN), seconds=3600), Path(scratch))
    yield from ((n, every[min(n, len(every)) - 1]) for n in SHOWN)


def variants(masks: Masks, truth: Masks, object_ids: list[int]) -> Mapping[str, Masks]:
    """What is scored, by its name."""
    every = {"as they are": masks}
    for width in WIDTHS:
        every[f"outlines within {width} pixels by the truth"] = np.stack(
            [
                np.where(near_outlines(mask, object_ids, width), true, mask)
                for mask, true in zip(masks, truth, strict=True)
            ]
        )
    for stride in STRIDES:
        every[f"truth at stride {stride}"] = np.stack(
            [brought_down(t, object_ids, stride) for t in truth]
        )
    return every


def near_outlines(mask: Masks, object_ids: list[int], width: int) -> npt.NDArray[np.bool_]:
    """Which pixels (H, W) lie within a width of some object's outline."""
    lines = np.zeros(mask.shape, np.uint8)
    for object_id in object_ids:
        lines |= boundary((mask == object_id).astype(np.uint8)).astype(np.uint8)
    distance = cv2.distanceTransform(1 - lines, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance <= width


def brought_down(truth: Masks, object_ids: list[int], stride: int) -> Masks:
    """A mask of shares at a stride, averaged, brought up bilinearly and decided again."""
    height, width = truth.shape
    size = -(-width // stride), -(-height // stride)
    best, decided = np.full(truth.shape, 0.5, np.float32), np.zeros_like(truth)
    for object_id in object_ids:
        share = cv2.resize(
            (truth == object_id).astype(np.float32), size, interpolation=cv2.INTER_AREA
        )
        here = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)
        decided[here > best] = object_id
        np.maximum(best, here, out=best)
    return decided


if __name__ == "__main__":
    main()
