"""DAVIS-layout roots to evaluate on: coloured squares that drift over noise."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FRAMES, HEIGHT, WIDTH = 5, 96, 128
COLOURS = ((220, 30, 30), (30, 30, 220))


def labels_at(frame: int, labels: Sequence[int], shift: int = 0) -> NDArray[np.uint8]:
    """(H, W): a square of each label, moved by a shift."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number, label in enumerate(labels):
        top, left = 10 + 40 * number + shift, 14 + 40 * number + 4 * frame + shift
        mask[top : top + 36, left : left + 40] = label
    return mask


def make_root(root: Path, sequences: Mapping[str, Sequence[int]], first_rounds: int = 1) -> Path:
    """Write a root.

    Args:
        root: where.
        sequences: the labels of each sequence's objects, by its name.
        first_rounds: how many scribble files each sequence gets; their objects are numbered from 1.
    """
    noise = np.random.default_rng(0).integers(0, 90, (HEIGHT, WIDTH, 3))
    for name, labels in sequences.items():
        frames, annotations, scribbles = folders(root, name)
        for folder in (frames, annotations, scribbles):
            folder.mkdir(parents=True)
        for t in range(FRAMES):
            truth = labels_at(t, range(1, len(labels) + 1))
            image = noise.copy()
            for number, colour in enumerate(COLOURS, 1):
                image[truth == number] = colour
            Image.fromarray(image.astype(np.uint8)).save(frames / f"{t:05d}.png")
            Image.fromarray(labels_at(t, labels)).save(annotations / f"{t:05d}.png")
        for number in range(1, first_rounds + 1):
            document = scribbles_on(name, frame=number, objects=len(labels))
            (scribbles / f"{number:03d}.json").write_text(json.dumps(document))
    lists = root / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("".join(f"{name}\n" for name in sequences))
    return root


def folders(root: Path, name: str) -> tuple[Path, Path, Path]:
    """Where a sequence's frames, annotations and scribbles lie."""
    return (
        root / "JPEGImages" / "480p" / name,
        root / "Annotations" / "480p" / name,
        root / "Scribbles" / name,
    )


def scribbles_on(name: str, frame: int, objects: int) -> dict[str, Any]:
    """A stroke across each object of one frame."""
    strokes: list[Any] = [[] for _ in range(FRAMES)]
    for number in range(objects):
        top, left = 28 + 40 * number, 20 + 40 * number + 4 * frame
        path = [[left / WIDTH, top / HEIGHT], [(left + 28) / WIDTH, top / HEIGHT]]
        strokes[frame].append({"path": path, "object_id": number + 1})
    return {"sequence": name, "scribbles": strokes}
