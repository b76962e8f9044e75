"""``extract``'s frames a second as a share of the bare network's forward rate.

python tests/benchmarks/bench_extract.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from common import best_of, clip_480p, table

from vostool.backbones.efficientnet_lite import ARCHITECTURE
from vostool.backbones.network import efficientnet_lite0_file
from vostool.backbones.torch_backbone import TorchBackbone
from vostool.pipeline.extraction import extract
from vostool.store import FeatureStore


def main() -> None:
    """Print the table."""
    rows: list[tuple[object, ...]] = []
    network = TorchBackbone(ARCHITECTURE, efficientnet_lite0_file(), torch.device("cpu"))
    with clip_480p(100) as clip, tempfile.TemporaryDirectory() as folder:
        frame = next(clip.frames())[None]
        frame = np.ascontiguousarray(frame)
        bare = best_of(lambda: [network.stages(frame) for _ in range(20)]) / 20
        begun = time.perf_counter()
        extract(clip, FeatureStore(Path(folder)).clip("bench"))
        whole = (time.perf_counter() - begun) / 100
        bare_after = best_of(lambda: [network.stages(frame) for _ in range(20)]) / 20
    bare = (bare + bare_after) / 2
    rows.append((f"{1 / bare:.1f}", f"{1 / whole:.1f}", f"{bare / whole:.0%}"))
    table(
        "extract, 100 frames at 480p, decoding and writing included",
        ("bare network, frames/s", "extract, frames/s", "share"),
        rows,
    )


if __name__ == "__main__":
    main()
