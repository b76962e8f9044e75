"""OME-Zarr images as microscopes' programs leave them, of either version."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import zarr

TYPES = {"t": "time", "c": "channel"}
Version = Literal["0.4", "0.5"]
Values = npt.NDArray[Any]


def cells(shape: tuple[int, ...], kind: str = "uint16") -> Values:
    """Values that tell each plane from each other."""
    values = np.random.default_rng(0).integers(1, 60000, shape)
    return (values if kind == "uint16" else values % 255 + 1).astype(kind)


def write_ome_zarr(
    folder: Path,
    values: Values,
    axes: str,
    *,
    version: Version = "0.5",
    chunks: tuple[int, ...] | None = None,
    shards: tuple[int, ...] | None = None,
    channels: Sequence[dict[str, str]] = (),
    interval: tuple[float, str] | None = None,
    fill: int = 0,
    packed: Any = "auto",
) -> Path:
    """Write an image, and one of half the size behind it.

    Args:
        folder: the image's.
        values: of the highest resolution.
        axes: what they are by, such as ``tcyx``.
        version: of OME-Zarr.
        chunks: by default a plane.
        shards: of version 0.5; by default none.
        channels: as ``omero`` has them.
        interval: between frames, and its unit.
        fill: what a chunk that is not there is filled with.
        packed: by which codec; None for none.
    """
    old = version == "0.4"
    group = zarr.create_group(folder, zarr_format=2 if old else 3)
    named: list[dict[str, str]] = [{"name": a, "type": TYPES.get(a, "space")} for a in axes]
    scale = [1.0] * len(axes)
    if interval:
        scale[0], named[0]["unit"] = interval
    sets = []
    for path, part in (("full", values), ("half", values[..., ::2, ::2])):
        whole = chunks if chunks and path == "full" else (*[1] * (part.ndim - 2), *part.shape[-2:])
        array = group.create_array(
            path, shape=part.shape, chunks=whole, dtype=part.dtype, fill_value=fill,
            shards=shards if path == "full" else None,
            chunk_key_encoding={"name": "v2" if old else "default", "separator": "/"},
            compressors=packed, dimension_names=None if old else list(axes),
        )  # fmt: skip
        array[:] = part
        factors = [*scale[:-2], *[s * (2 if path == "half" else 1) for s in scale[-2:]]]
        change = {"type": "scale", "scale": factors}
        sets.append({"path": path, "coordinateTransformations": [change]})
    metadata: dict[str, Any] = {"multiscales": [{"name": "made", "axes": named, "datasets": sets}]}
    if channels:
        metadata["omero"] = {"channels": [*channels]}
    if old:
        metadata["multiscales"][0]["version"] = version
        group.attrs.update(metadata)
    else:
        group.attrs["ome"] = {"version": version, **metadata}
    return folder


def chunk_files(folder: Path) -> list[Path]:
    """The files of the highest resolution's chunks, in the order of their names."""
    files = (file for file in (folder / "full").rglob("*") if file.is_file())
    names = ("zarr.json", ".zarray", ".zattrs")
    return sorted(file for file in files if file.name not in names)
