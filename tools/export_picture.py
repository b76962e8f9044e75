"""Draws three exports of a frame side by side: the picture of the tutorial.

vostool export masks --as yolo --clip bikes.mp4 --frames 187:242 --out bikes-yolo
vostool export masks --as cutout --clip bikes.mp4 --frames 187:242 --out bikes-cutout
vostool export masks --as binary --out bikes-binary
python tools/export_picture.py bikes-yolo bikes-cutout bikes-binary 17 docs/images/exports.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from vostool.images import Frame, read_image
from vostool.masks import davis_palette

SQUARE = 12
"""Pixels of the chequered ground, on which what is transparent is seen."""


def polygons_of(folder: Path, name: str) -> Frame:
    """The image of a YOLO set under its polygons."""
    picture = read_image(folder / "images" / f"{name}.jpg").copy()
    size = picture.shape[1::-1]
    for line in (folder / "labels" / f"{name}.txt").read_text().splitlines():
        number, *places = line.split()
        points = (np.array(places, float).reshape(-1, 2) * size).astype(np.int32)
        colour = davis_palette()[int(number) + 1].tolist()
        cv2.polylines(picture, [points.reshape(-1, 1, 2)], True, colour, 2)
    return picture


def on_chequers(file: Path) -> Frame:
    """An RGBA image on a chequered ground."""
    image = np.asarray(Image.open(file).convert("RGBA"))
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] // SQUARE
    ground = np.where((x + y) % 2, 200, 240).astype(np.uint8)[..., None].repeat(3, axis=2)
    return np.where(image[..., 3:] > 0, image[..., :3], ground)


def main(yolo: str, cutout: str, binary: str, frame: str, picture: str) -> None:
    """Side by side."""
    name = f"{int(frame):05d}"
    drawn = [
        polygons_of(Path(yolo), name),
        on_chequers(Path(cutout) / f"{name}.png"),
        read_image(Path(binary) / "1" / f"{name}.png"),
    ]
    Image.fromarray(np.concatenate(drawn, axis=1)).save(picture, quality=85)


if __name__ == "__main__":
    main(*sys.argv[1:])
