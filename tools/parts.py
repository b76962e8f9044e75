"""A root of photos in which the object is thin, a person, a part of a thing, or any region.

    python tools/parts.py --cables cables_dataset --people Human-Segmentation-Dataset \
        --clothes clothing-co-parsing --regions BSDS500 --out PARTS

Each of the four is a copy of the public repository of that name (m4nh, VikramShenoy97, bearpaw,
BIDS). What is written is read by ``vostool train --photos PARTS``: an object each of every photo's
masks, and of photos that are cut into regions a few that are neither specks nor all of the photo.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt
from scipy.io import loadmat

from vostool.images import read_image

Photo = tuple[str, Path, npt.NDArray[np.bool_]]
"""A name, the photo's file, and where its object is (H, W)."""
LARGEST = 640
"""Pixels of the longer side of what is written."""
SHARES = (0.01, 0.4)
"""Of the photo, that a region takes."""
REGIONS = 2
"""Of a photo, at most."""


@click.command()
@click.option("--cables", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--people", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--clothes", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--regions", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--seed", default=0, show_default=True, help="Which regions are taken.")
@click.option("--out", required=True, type=click.Path(path_type=Path))
def main(cables: Path, people: Path, clothes: Path, regions: Path, seed: int, out: Path) -> None:
    """Write the root."""
    rng = np.random.default_rng(seed)
    for folder in ("images", "masks"):
        (out / folder).mkdir(parents=True)
    for kind, photos in (
        ("cable", _cables(cables)),
        ("person", _people(people)),
        ("clothes", _clothes(clothes, rng)),
        ("region", _regions(regions, rng)),
    ):
        written = 0
        for name, file, inside in photos:
            write(out, f"{kind}-{name}", file, inside)
            written += 1
        click.echo(f"{kind}: {written}")


def write(out: Path, name: str, file: Path, inside: npt.NDArray[np.bool_]) -> None:
    """Write a photo and its mask, no larger than training has use for."""
    image = read_image(file)
    scale = min(1.0, LARGEST / max(image.shape[:2]))
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(out / "images" / f"{name}.jpg"), small[:, :, ::-1])
    cv2.imwrite(str(out / "masks" / f"{name}.png"), np.where(share > 0.5, 255, 0).astype(np.uint8))


def _cables(root: Path) -> Iterator[Photo]:
    for folder in ("cable_dataset_simple", "cable_dataset_hard"):
        for mask in sorted((root / folder).glob("*_mask_[0-9]*.png")):
            number = mask.stem.split("_")[0]
            name = f"{folder.removeprefix('cable_dataset_')}-{mask.stem}"
            yield name, mask.with_name(f"{number}.jpg"), _inside(mask)


def _people(root: Path) -> Iterator[Photo]:
    for mask in sorted((root / "Ground_Truth").glob("*.png")):
        yield mask.stem, root / "Training_Images" / f"{mask.stem}.jpg", _inside(mask)


def _clothes(root: Path, rng: np.random.Generator) -> Iterator[Photo]:
    for file in sorted((root / "annotations" / "pixel-level").glob("*.mat")):
        labels = np.asarray(loadmat(file)["groundtruth"])
        photo = root / "photos" / f"{file.stem}.jpg"
        for number, inside in enumerate(some_regions(labels, rng, background=0)):
            yield f"{file.stem}-{number}", photo, inside


def _regions(root: Path, rng: np.random.Generator) -> Iterator[Photo]:
    truth = root / "BSDS500" / "data" / "groundTruth"
    for file in sorted(truth.rglob("*.mat")):
        photo = root / "BSDS500" / "data" / "images" / file.parent.name / f"{file.stem}.jpg"
        people = loadmat(file)["groundTruth"][0]
        labels = np.asarray(people[int(rng.integers(0, len(people)))]["Segmentation"][0, 0])
        for number, inside in enumerate(some_regions(labels, rng)):
            yield f"{file.stem}-{number}", photo, inside


def some_regions(
    labels: npt.NDArray[np.integer], rng: np.random.Generator, background: int | None = None
) -> list[npt.NDArray[np.bool_]]:
    """A few regions (H, W) of a map of labels."""
    kinds, counts = np.unique(labels, return_counts=True)
    share = counts / labels.size
    fit = kinds[(share >= SHARES[0]) & (share <= SHARES[1]) & (kinds != background)]
    return [labels == kind for kind in rng.permutation(fit)[:REGIONS]]


def _inside(mask: Path) -> npt.NDArray[np.bool_]:
    image = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
    assert image is not None, mask
    return np.asarray(image > 127 if image.max() > 1 else image > 0)


if __name__ == "__main__":
    main()
