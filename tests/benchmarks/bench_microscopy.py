"""Images of microscopes: reading them, and what a fingerprint costs beside extraction.

python tests/benchmarks/bench_microscopy.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
import zarr
from common import best_of, table

from vostool.clips import open_clip
from vostool.pipeline.extraction import extract
from vostool.reading import Reading
from vostool.store import FeatureStore

FRAMES, SIZE = 16, (1024, 1024)
READING = Reading(channel=1, contrast=(0, 4095))
CHUNKS = {"a plane": (1, 1, *SIZE), "256x256": (1, 1, 256, 256), "8 x 256x256": (8, 1, 256, 256)}
PAGES = 1000


def cells() -> npt.NDArray[np.uint16]:
    """(T, 2, H, W), of 12 bits: two channels of smooth spots that move, and noise."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    frames = []
    for time_ in range(FRAMES):
        light = 900 * (np.sin(x / 31 + time_ / 5) * np.cos(y / 27 - time_ / 9)).clip(0) ** 2
        frames.append([light + draw.normal(150, 12, SIZE), light + draw.normal(300, 18, SIZE)])
    return np.array(frames).clip(0, 4095).astype(np.uint16)


def write_zarr(folder: Path, values: npt.NDArray[np.uint16], chunks: tuple[int, ...]) -> Path:
    """Write an image of OME-Zarr 0.5, with zarr's own compression."""
    group = zarr.create_group(folder)
    group.create_array("0", shape=values.shape, chunks=chunks, dtype=values.dtype)[:] = values
    types = {"t": "time", "c": "channel", "y": "space", "x": "space"}
    scale = {"type": "scale", "scale": [1.0] * 4}
    multiscale: dict[str, Any] = {
        "axes": [{"name": axis, "type": kind} for axis, kind in types.items()],
        "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
    }
    group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    return folder


def main() -> None:
    """Print the tables."""
    values = cells()
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        sources = {
            f"OME-Zarr, chunks of {name}": write_zarr(Path(folder, f"{n}"), values, chunks)
            for n, (name, chunks) in enumerate(CHUNKS.items())
        }
        sources["OME-TIFF"] = Path(folder, "cells.ome.tif")
        tifffile.imwrite(sources["OME-TIFF"], values, metadata={"axes": "TCYX"})
        for number, (name, source) in enumerate(sources.items()):
            clip = open_clip(source, reading=READING, name=f"c{number}")
            reading = best_of(lambda clip=clip: [None for _ in clip.frames()])  # type: ignore[misc]
            known = best_of(
                lambda source=source: open_clip(source, reading=READING).fingerprint  # type: ignore[misc]
            )
            begun = time.perf_counter()
            extract(clip, FeatureStore(Path(folder, "store")).clip(clip.name))
            whole = time.perf_counter() - begun
            rows.append((name, f"{FRAMES / reading:.0f}", f"{1000 * known / FRAMES:.1f}",
                         f"{FRAMES / whole:.1f}", f"{100 * known / whole:.1f} %"))  # fmt: skip
        long = Path(folder, "long.tif")
        small = np.zeros((PAGES, 64, 64), np.uint8)
        tifffile.imwrite(long, small, imagej=True, metadata={"axes": "TYX"})
        begun = time.perf_counter()
        assert sum(1 for _ in open_clip(long).frames()) == PAGES
        pages = PAGES / (time.perf_counter() - begun)
    table(
        f"images of microscopes, {FRAMES} frames of {SIZE[1]}x{SIZE[0]}, one of two channels",
        ("clip", "read, frames/s", "opening and fingerprint, ms a frame", "extract, frames/s",
         "fingerprint beside extraction"),
        rows,
    )  # fmt: skip
    print(f"\nA TIFF of {PAGES} small pages: {pages:.0f} frames/s")


if __name__ == "__main__":
    main()
