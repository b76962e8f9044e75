"""What all writers of stages do alike: a stage's zarr group, and what is told of it."""

from __future__ import annotations

from dataclasses import asdict, replace

import zarr

from vostool.pyramid import Pyramid
from vostool.store.cache_key import CacheKey
from vostool.store.layout import CHUNK_FRAMES, chunk_name, create_features
from vostool.store.stage import ClipMetadata, Features


def lay_out(
    group: zarr.Group, pyramid: Pyramid, cache_key: CacheKey, metadata: ClipMetadata
) -> None:
    """Make a stage of no frames of an empty group."""
    for level in pyramid.levels:
        create_features(group, level.name, level.shape)
    group.attrs.update(
        {
            "stamp": cache_key.as_dict(),
            "clip": asdict(metadata),
            "network_size": list(pyramid.network_size),
            "levels": [level.name for level in pyramid.levels],
            "strides": [level.stride for level in pyramid.levels],
        }
    )


def level_names(group: zarr.Group) -> list[str]:
    """The levels of a stage, finest first."""
    return [str(name) for name in dict(group.attrs)["levels"]]  # type: ignore[union-attr]


def extend(group: zarr.Group, start: int, features: Features) -> list[str]:
    """Write frames behind those that are there, (frames, h, w, C) a level.

    Returns:
        The chunks that were written.
    """
    stop = start + len(features[0])
    names = level_names(group)
    # zarr leaves chunks of zeros out, and a chunk that is not there is an error here.
    with zarr.config.set({"array.write_empty_chunks": True}):
        for name, level in zip(names, features, strict=True):
            array = group[name]
            assert isinstance(array, zarr.Array)
            array.resize((stop, *array.shape[1:]))
            array[start:stop] = level
    return [path for level in chunks_of(names, start, stop) for path in level]


def chunks_of(names: list[str], start: int, stop: int) -> list[list[str]]:
    """The chunks, a list a level, that hold some frames."""
    numbers = range(start // CHUNK_FRAMES, -(-stop // CHUNK_FRAMES))
    return [[f"{name}/{chunk_name(number)}" for number in numbers] for name in names]


def complete(group: zarr.Group, frames: int, seconds: float) -> None:
    """Note in a stage how many frames it has, and how long it took."""
    key = CacheKey.from_dict(dict(group.attrs)["stamp"])  # type: ignore[arg-type]
    made_by = {**key.made_by, "seconds": round(seconds, 3)}
    group.attrs["stamp"] = replace(key, made_by=made_by).as_dict()
    group.attrs["frames"] = frames
