"""The networks, one by one: how fast extract is with each, and what a frame takes on disk.

    python tests/benchmarks/bench_networks.py

Weights are random: they change neither.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from common import clip_480p, table

from vostool.backbones import BACKBONES
from vostool.pipeline.extraction import extract
from vostool.store import FeatureStore

FEW, MANY = 8, 24


def extract_with(network: str, frames: int) -> tuple[float, int]:
    """The seconds that it takes, loading included, and the bytes that it leaves."""
    with clip_480p(frames) as clip, tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        stored = FeatureStore(Path(folder)).clip("bench")
        stage = extract(clip, stored, backbone=network, weights="random")
        return time.perf_counter() - begun, stage.bytes


def main() -> None:
    """Print the table."""
    rows: list[tuple[object, ...]] = []
    for name, network in BACKBONES.items():
        extract_with(name, FEW)  # warms up
        (few, _), (many, size) = (extract_with(name, frames) for frames in (FEW, MANY))
        shapes = network.shapes
        rows.append(
            (
                f"`{name}`",
                network.reads,
                ", ".join(str(shape.stride) for shape in shapes),
                sum(shape.channels for shape in shapes),
                f"{(MANY - FEW) / (many - few):.1f}",
                f"{size / MANY / 1e6:.1f}",
            )
        )
    table(
        "extract with each network at 480p, once it is loaded",
        ("network", "reads", "strides", "channels", "frames/s", "MB a frame"),
        rows,
    )


if __name__ == "__main__":
    main()
