"""Compression and chunk shape, measured on real features of a 70-frame clip at 480p.

python tests/benchmarks/bench_store.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from common import best_of, clip_480p, table
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec

from vostool.pipeline.extraction import extract
from vostool.store import FeatureStore

CODECS: dict[str, list[Any]] = {
    "none": [],
    "lz4, byte shuffle": [BloscCodec(cname="lz4", clevel=1, shuffle="shuffle")],
    "lz4, bit shuffle": [BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle")],
    "zstd 1, byte shuffle": [BloscCodec(cname="zstd", clevel=1, shuffle="shuffle")],
    "zstd, zarr's default": [ZstdCodec(level=0)],
}
CHOICES = [("none", frames, None) for frames in (1, 4, 8, 16, 32)] + [("none", 8, 32)]
CHOICES += [(codec, 8, None) for codec in list(CODECS)[1:]]


def main() -> None:
    """Print the table."""
    rows: list[tuple[object, ...]] = []
    with clip_480p(70) as clip, tempfile.TemporaryDirectory() as folder:
        stage = extract(clip, FeatureStore(Path(folder) / "store").clip("bench"))
        levels = stage.read(0, 70)
        for codec, chunk, shard in CHOICES:
            path = Path(folder) / f"{codec}-{chunk}-{shard}"
            group = zarr.open_group(path, mode="w")
            for number, level in enumerate(levels):
                array = group.create_array(
                    f"{number}",
                    shape=level.shape,
                    dtype=np.float16,
                    chunks=(chunk, *level.shape[1:]),
                    shards=None if shard is None else (shard, *level.shape[1:]),
                    filters=None,
                    compressors=[*CODECS[codec], Crc32cCodec()],
                )
                array[:] = level

            arrays = [group[f"{number}"] for number in range(len(levels))]

            def whole(arrays: list[Any] = arrays, step: int = max(chunk, 8)) -> None:
                for start in range(0, 70, step):
                    for array in arrays:
                        array[start : start + step]

            def single(arrays: list[Any] = arrays) -> None:
                for array in arrays:
                    array[33]

            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            rows.append(
                (
                    codec,
                    chunk,
                    shard or "",
                    f"{size / 1e6:.0f}",
                    f"{best_of(whole) * 1e3:.0f}",
                    f"{best_of(single) * 1e3:.0f}",
                )
            )
    table(
        "Store layouts, 70 frames at 480p, checksums checked, page cache warm",
        ("compression", "frames a chunk", "a shard", "MB", "read all, ms", "read one frame, ms"),
        rows,
    )


if __name__ == "__main__":
    main()
