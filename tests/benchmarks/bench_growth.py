"""How the cost of masks grows: with frames, with objects, with pixels.

    python tests/benchmarks/bench_growth.py [--frames 100,500,2000] [--objects 1,2,5,10]
                                            [--heights 240,480,1080,2160]

Real frames, features stored, a process for each figure: from opening the clip and a round of
strokes to all masks, then those of a further round, and the peak of memory. Each table varies one
thing, the others are 100 frames, 1 object and 480 rows; an empty list leaves a table out. The
exponent is the slope of the further round's seconds, in logarithms. Prints Markdown tables, in some
seven minutes, more than half of them for features, and takes 8 GB of disk meanwhile. For Linux: it
tells a process's peak.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from bench_loop import REPOSITORY, lines
from common import clip_480p

from vostool.pipeline.extraction import extract
from vostool.store import FeatureStore

USUAL = {"frames": 100, "objects": 1, "height": 480}
ASPECT = 854 / 480

TIMED = """
import json, sys, time
import numpy
import vostool

store, rounds = sys.argv[1], json.loads(sys.argv[2])
session = vostool.open("bench", store=store).session()
seconds = []
for frame, lines in rounds:
    begun = time.perf_counter()
    session.add_scribbles({frame: [vostool.Stroke(k, numpy.array(path)) for k, path in lines]})
    for _ in session.masks():
        pass
    seconds.append(time.perf_counter() - begun)
# getrusage would tell the peak of the process that began this one, if that is higher.
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps([*seconds, peak / 1024]))
"""


def numbers(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    """A list of numbers of the command line."""
    return [int(part) for part in value.split(",") if part]


@click.command()
@click.option("--frames", default="100,500,2000", show_default=True, callback=numbers)
@click.option("--objects", default="1,2,5,10", show_default=True, callback=numbers)
@click.option("--heights", default="240,480,1080,2160", show_default=True, callback=numbers)
def main(frames: list[int], objects: list[int], heights: list[int]) -> None:
    """Print the tables."""
    print(f"load before: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    with TemporaryDirectory() as folder:
        tables(Path(folder), frames, objects, heights)
    print(f"load after: {os.getloadavg()[0]:.1f}", file=sys.stderr)


def tables(folder: Path, frames: list[int], objects: list[int], heights: list[int]) -> None:
    """Print each; features are kept in a folder, and made once."""
    for what, values in (("frames", frames), ("objects", objects), ("height", heights)):
        if not values:
            continue
        print(f"\n| {what} | all masks, s | again after a stroke, s | peak, MB |")
        print("|---:|---:|---:|---:|")
        again = []
        for value in values:
            first, further, peak = timed(folder, **{**USUAL, what: value})
            again.append(further)
            print(f"| {value} | {first:.2f} | {further:.2f} | {peak:.0f} |", flush=True)
        if len(values) > 1:
            size = np.log(values) * (2 if what == "height" else 1)  # pixels
            exponent = np.polyfit(size, np.log(again), 1)[0]
            print(f"\nexponent{' over pixels' if what == 'height' else ''}: {exponent:.2f}")


def timed(folder: Path, frames: int, objects: int, height: int) -> tuple[float, float, float]:
    """Seconds until all masks, seconds after a further round, and the peak of memory in MB."""
    store = folder / f"{frames}-{height}"
    if not store.exists():
        with clip_480p(frames, (height, round(height * ASPECT))) as clip:
            extract(clip, FeatureStore(store).clip("bench"))
    rounds = [(frame, lines(objects, 50 * n)) for n, frame in enumerate((2, frames // 2))]
    done = subprocess.run(
        [sys.executable, "-c", TIMED, str(store), json.dumps(rounds)],
        cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    first, further, peak = json.loads(done.stdout)
    return first, further, peak


if __name__ == "__main__":
    main()
