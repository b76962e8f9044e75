"""YOLO segmentation: a text file a frame, a polygon for each part of an object, an image beside.

A polygon has no holes; a hole is kept by a cut of no width from the outline to it and back, which
programs that fill a polygon's inside leave out rightly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from vostool.images import Mask, ObjectMasks
from vostool.writers import Content, object_name
from vostool.writers.davis import JPEG_QUALITY
from vostool.writers.folders import whole_folder

Polygon = npt.NDArray[np.int32]
"""(N, 2), x and y of pixels."""
WITHIN = 0.25
"""Of a pixel, added to its whole number: programs that round and those that cut both come to it."""
FEWEST = 3
"""Points of a polygon."""


class YoloWriter:
    """A :class:`vostool.writers.MaskWriter`: ``images/%05d.jpg`` and ``labels/%05d.txt``.

    Args:
        folder: for both.
        content: what the masks are of.
    """

    def __init__(self, folder: Path, content: Content) -> None:
        self.folder, self._content = folder, content
        for part in ("images", "labels"):
            (folder / part).mkdir()
        names = "".join(f"  {n}: {object_name(k)}\n" for n, k in enumerate(content.object_ids))
        (folder / "data.yaml").write_text(f"train: images\nval: images\nnames:\n{names}")

    def write(self, frame: int, masks: ObjectMasks) -> None:
        """Take the next frame's masks."""
        image = Image.fromarray(next(self._content.frames))
        image.save(self.folder / "images" / f"{frame:05d}.jpg", quality=JPEG_QUALITY)
        height, width = masks.shape[1:]
        lines = []
        for number, mask in enumerate(masks):
            for polygon in polygons(mask):
                places = (polygon + WITHIN) / (width, height)
                lines.append(f"{number} {' '.join(f'{place:.6f}' for place in places.ravel())}\n")
        (self.folder / "labels" / f"{frame:05d}.txt").write_text("".join(lines))


def polygons(region: Mask) -> list[Polygon]:
    """A polygon for each connected part of a region, its holes cut open."""
    outlines, tree = cv2.findContours(region, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    found = []
    for number, outline in enumerate(outlines):
        if tree[0][number][3] >= 0:
            continue  # a hole, of the part that it lies in
        polygon = outline.reshape(-1, 2).astype(np.int32)
        hole = tree[0][number][2]
        holes = []
        while hole >= 0:
            holes.append(outlines[hole].reshape(-1, 2).astype(np.int32))
            hole = tree[0][hole][0]
        while holes:
            cuts = [_shortest_cut(polygon, one) for one in holes]
            nearest = min(range(len(cuts)), key=lambda n: cuts[n][0])
            polygon = _cut_open(polygon, holes.pop(nearest), *cuts[nearest][1:])
        corners = _corners(polygon)
        short = max(0, FEWEST - len(corners))
        found.append(np.concatenate([corners, np.repeat(corners[-1:], short, axis=0)]))
    return found


def _corners(polygon: Polygon) -> Polygon:
    """A polygon without the points on its straight sides."""
    before, after = polygon - np.roll(polygon, 1, axis=0), np.roll(polygon, -1, axis=0) - polygon
    turns = (before != after).any(axis=1)
    return polygon[turns] if turns.any() else polygon[:1]


def _shortest_cut(polygon: Polygon, hole: Polygon) -> tuple[int, int, int]:
    """The shortest way from a polygon to a hole: its squared length, and the points at its ends."""
    apart = ((polygon[:, None].astype(np.int64) - hole[None]) ** 2).sum(axis=2)
    at, to = np.unravel_index(apart.argmin(), apart.shape)
    return int(apart[at, to]), int(at), int(to)


def _cut_open(polygon: Polygon, hole: Polygon, at: int, to: int) -> Polygon:
    """A polygon that goes from one of its points to a hole's, around the hole, and back."""
    around = np.concatenate([hole[to:], hole[: to + 1]])
    return np.concatenate([polygon[: at + 1], around, polygon[at:]])


@contextmanager
def open_writer(folder: Path, content: Content) -> Iterator[YoloWriter]:
    """Open a folder to write to; it appears when it is whole, and holds nothing else.

    Raises:
        OutputError: it cannot be written to.
    """
    with whole_folder(folder) as made:
        yield YoloWriter(made, content)
