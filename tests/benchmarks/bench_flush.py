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
from vostool.store import FeatureStore

DAVIS = Path(__file__).resolve().parents[3] / "shared" / "data" / "davis"
SEQUENCE = "car-shadow"
RUNS = 3
"""Of which the median is taken; with and without take turns."""

flush = os.fsync
Seconds = dict[str, float]


def not_at_all(_: int) -> None:
    """Stands for the flush."""


def timed(work: Callable[[], object]) -> float:
    """Seconds that some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def steps(clip: Clip, scribbles: Path, folder: Path) -> Seconds:
    """Each step once, in an empty folder."""
    stored = FeatureStore(folder / "store").clip(clip.name)
    seconds = {
        "extract": timed(lambda: extract(clip, stored)),
        "propagate": timed(lambda: propagate(stored)),
    }
    session = vostool.open(clip.name, store=folder / "store").session()

    def adapt() -> None:
        session.add_scribbles(scribbles)
        session.adapter.write(folder / "a.h5")

    seconds["adapt"] = timed(adapt)
    seconds["render"] = timed(lambda: session.save(folder / "masks", overlay=folder / "o.mp4"))
    return seconds


def main() -> None:
    """Print the table."""
    place = sys.argv[1] if len(sys.argv) > 1 else None
    frames = DAVIS / "JPEGImages" / "480p" / SEQUENCE
    scribbles = sorted((DAVIS / "Scribbles" / SEQUENCE).glob("*.json"))[0]
    clip = open_clip(frames)
    runs: dict[Callable[[int], None], list[Seconds]] = {not_at_all: [], flush: []}
    for _ in range(RUNS):
        for how, found in runs.items():
            os.fsync = how  # type: ignore[assignment]
            with tempfile.TemporaryDirectory(dir=place) as folder:
                found.append(steps(clip, scribbles, Path(folder)))
    rows: list[tuple[object, ...]] = []
    for step in runs[flush][0]:
        without, with_it = (median(run[step] for run in found) for found in runs.values())
        rows.append((step, f"{without:.2f}", f"{with_it:.2f}", f"{with_it - without:+.2f}"))
    title = f"{SEQUENCE}, {clip.expected_frames} frames at {clip.size[0]}p, medians of {RUNS} runs"
    table(title, ("step", "without flushing, s", "with it, s", "difference, s"), rows)


if __name__ == "__main__":
    main()
