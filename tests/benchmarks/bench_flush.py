"""What flushing to the disk costs: each command with and without it, on a real clip.

python tests/benchmarks/bench_flush.py [FOLDER_ON_THE_DISK_TO_MEASURE]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from common import table

import vostool
from vostool.clips import Clip, open_clip
from vostool.pipeline.context import propagate
from vostool.pipeline.extraction import extract
from vostool.scribbles import Stroke, read_scribbles
from vostool.store import FeatureStore

DAVIS = Path(__file__).resolve().parents[3] / "shared" / "data" / "davis"
SEQUENCE, FRAMES = "car-shadow", 24
RUNS = 3
"""Of which the median is taken; with and without take turns."""

Seconds = dict[str, float]


class Flush:
    """Stands for the system's flush; what it counts is sure on a busy machine, too.

    Args:
        works: whether anything is flushed.

    Attributes:
        calls: how often it was called.
        seconds: how long that took, over all threads.
    """

    def __init__(self, works: bool) -> None:
        self._works, self._flush = works, os.fsync
        self.calls, self.seconds = 0, 0.0

    def __call__(self, descriptor: int) -> None:
        begun = time.perf_counter()
        if self._works:
            self._flush(descriptor)
        self.calls += 1
        self.seconds += time.perf_counter() - begun

    def timed(self, work: Callable[[], object]) -> Seconds:
        """What some work takes, and what of it the flushes."""
        calls, seconds = self.calls, self.seconds
        begun = time.perf_counter()
        work()
        took = time.perf_counter() - begun
        return {"took": took, "calls": self.calls - calls, "flushing": self.seconds - seconds}


def steps(
    clip: Clip, strokes: dict[int, list[Stroke]], folder: Path, flush: Flush
) -> dict[str, Seconds]:
    """Each step once, in an empty folder."""
    stored = FeatureStore(folder / "store").clip(clip.name)
    found = {
        "extract": flush.timed(lambda: extract(clip, stored)),
        "propagate": flush.timed(lambda: propagate(stored)),
    }
    session = vostool.open(clip.name, store=folder / "store").session()

    def adapt() -> None:
        session.add_scribbles(strokes)
        session.adapter.write(folder / "a.h5")

    found["adapt"] = flush.timed(adapt)
    found["render"] = flush.timed(lambda: session.save(folder / "masks", overlay=folder / "o.mp4"))
    return found


def main() -> None:
    """Print the table."""
    place = sys.argv[1] if len(sys.argv) > 1 else None
    strokes = read_scribbles(DAVIS / "Scribbles" / SEQUENCE / "001.json").strokes
    clip = open_clip(DAVIS / "JPEGImages" / "480p" / SEQUENCE, frames=(0, FRAMES))
    flushes = Flush(works=False), Flush(works=True)
    runs: list[list[dict[str, Seconds]]] = [[], []]
    for _ in range(RUNS):
        for flush, found in zip(flushes, runs, strict=True):
            os.fsync = flush  # type: ignore[assignment]
            with tempfile.TemporaryDirectory(dir=place) as folder:
                found.append(steps(clip, strokes, Path(folder), flush))
    rows: list[tuple[object, ...]] = []
    for step, last in runs[1][0].items():
        without, with_it = (median(run[step]["took"] for run in found) for found in runs)
        flushing = median(run[step]["flushing"] for run in runs[1])
        cells = f"{without:.2f}", f"{with_it:.2f}", round(last["calls"]), f"{flushing:.2f}"
        rows.append((step, *cells))
    title = f"{SEQUENCE}, {FRAMES} frames at {clip.size[0]}p, medians of {RUNS} runs"
    heads = "step", "without flushing, s", "with it, s", "flushes", "s in them"
    table(title, heads, rows)


if __name__ == "__main__":
    main()
