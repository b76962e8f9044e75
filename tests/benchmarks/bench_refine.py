"""``refine`` of a cached 70-frame clip at 480p: a frame, a clip, and again after another round.

python tests/benchmarks/bench_refine.py
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the commands do, before numpy is imported

import numpy as np
from common import best_of, clip_480p, cold, peak_memory, scribble, table

from vostool.clips import Clip
from vostool.mask_propagation import Refiner
from vostool.mask_propagation.cache import MemoryCache
from vostool.pipeline.context import propagate
from vostool.pipeline.extraction import extract
from vostool.scribbles import Scribbles, Stroke
from vostool.session import OpenClip, Session
from vostool.store import FeatureStore

FRAMES = 70
LONG = 280


def fitted(clip: Clip, root: Path) -> Session:
    """A session on the clip's stored features, after a round; its adapter is in ``a.h5``, too."""
    stored = FeatureStore(root / "store").clip("bench")
    extract(clip, stored)
    propagate(stored)
    session = OpenClip(stored).session()
    session.add_scribbles(scribble())
    session.adapter.write(root / "a.h5")
    return session


def main() -> None:
    """Print the tables."""
    with clip_480p(FRAMES) as clip, tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        session = fitted(clip, root)
        path = np.array([[0.43, 0.5], [0.43, 0.7]])
        later = Scribbles("benchmark", {30: [Stroke(1, path)]}, {})

        def masks() -> None:
            for _ in session.masks():
                pass

        def refined() -> None:
            for _ in session.refined_masks(Refiner(), lambda _: MemoryCache()):
                pass

        plain, all_new = best_of(masks), best_of(refined)
        kept = MemoryCache()
        list(session.refined_masks(Refiner(), lambda _: kept))
        session.add_scribbles(later)
        begun = time.perf_counter()
        list(session.refined_masks(Refiner(), lambda _: kept))
        next_round = time.perf_counter() - begun
        command = ("refine", "bench", "--adapter", root / "a.h5", "--store", root / "store")
        process = cold(*command, "--out", root / "m", runs=1)
        memory = peak_memory(*command, "--out", root / "n")
    with clip_480p(LONG) as clip, tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        fitted(clip, root)
        command = ("refine", "bench", "--adapter", root / "a.h5", "--store", root / "store")
        long_memory = peak_memory(*command, "--out", root / "n")
    table(
        f"refine, {FRAMES} frames at 480p, one object, features stored",
        ("what", "seconds", "ms a frame"),
        [
            (what, f"{seconds:.2f}", f"{1000 * seconds / FRAMES:.0f}")
            for what, seconds in (
                ("masks without refinement, warm", plain),
                ("refined, warm", all_new),
                ("refined after another round, warm", next_round),
                ("vostool refine, a process, PNGs written", process),
            )
        ],
    )
    table(
        "Peak memory of vostool refine, frames at 480p",
        (f"{FRAMES} frames, MB", f"{LONG} frames, MB", "ratio"),
        [(f"{memory:.0f}", f"{long_memory:.0f}", f"{long_memory / memory:.2f}")],
    )


if __name__ == "__main__":
    main()
