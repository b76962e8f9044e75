"""The loop: how long a stroke waits for masks, in a session and as commands, by this version and
by another.

    python tests/benchmarks/bench_loop.py [--before COMMIT] [--frames 70] [--objects 1,5]

Real frames at 480p, features stored. Of a session that has answered a round: the next round, until
the mask of the frame that was drawn on is there, until that of the frame furthest from it, and
until those of the whole clip. Then ``adapt`` and ``render`` as processes of their own. Both
versions are timed in turn, with the libraries of the environment that runs this; the shortest of
three runs counts. Prints a Markdown table, and how busy the machine was.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from common import a_busy_process, clip_480p

from vostool.pipeline.context import propagate
from vostool.pipeline.extraction import extract
from vostool.store import FeatureStore

REPOSITORY = Path(__file__).resolve().parent.parent.parent
RUNS = 3
ROWS = ("stroke to its frame", "to the furthest frame", "to all frames", "adapt, then render")

TIMED = """
import json, sys, time
import numpy
import vostool

store, rounds, runs, last = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

def strokes(number):
    return {frame: [vostool.Stroke(k, numpy.array(path)) for k, path in lines] for frame, lines in
            ((int(frame), lines) for frame, lines in rounds[number].items())}

session = vostool.open("bench", store=store).session()
session.add_scribbles(strokes(0))
list(session.masks())
best = [1e9] * 3
for _ in range(runs):
    for n, frame in enumerate((int(next(iter(rounds[1]))), last, None)):
        begun = time.perf_counter()
        session.add_scribbles(strokes(1))
        list(session.masks()) if frame is None else session.mask(frame)
        best[n] = min(best[n], time.perf_counter() - begun)
        session.undo()
print(json.dumps(best))
"""


@click.command()
@click.option("--before", help="The commit to compare with; a worktree of it is made.")
@click.option("--frames", default=70, show_default=True)
@click.option("--objects", default="1,5", show_default=True, help="How many, one after another.")
@click.option("--busy", is_flag=True, help="Beside a process that keeps a core busy.")
def main(before: str | None, frames: int, objects: str, busy: bool) -> None:
    """Print the table."""
    print(f"load before: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    counts = [int(count) for count in objects.split(",")]
    with clip_480p(frames) as clip, TemporaryDirectory() as folder, versions(before) as each:
        stored = FeatureStore(Path(folder) / "store").clip("bench")
        extract(clip, stored)
        propagate(stored)
        names = [f"{name}, {count} objects" for count in counts for name in each]
        print(f"| s | {' | '.join(names)} |\n|---|{'---:|' * len(names)}")
        with a_busy_process() if busy else nullcontext():
            columns = [
                timed(code, Path(folder), count, frames)
                for count in counts
                for code in each.values()
            ]
        for row, seconds in zip(ROWS, zip(*columns, strict=True), strict=True):
            print(f"| {row} | {' | '.join(f'{one:.2f}' for one in seconds)} |")
    print(f"load after: {os.getloadavg()[0]:.1f}", file=sys.stderr)


@contextmanager
def versions(before: str | None) -> Iterator[dict[str, Path]]:
    """The code of each version, by its column's name."""
    if before is None:
        yield {"now": REPOSITORY}
        return
    with TemporaryDirectory() as folder:
        place = Path(folder) / "vostool"
        git = ["git", "-C", str(REPOSITORY), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(place), before], check=True)
        try:
            yield {before[:7]: place, "now": REPOSITORY}
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=True)


def timed(code: Path, folder: Path, objects: int, frames: int) -> list[float]:
    """The seconds of :data:`ROWS` by a version."""
    # The working folder has no vostool: it would be imported before that of PYTHONPATH.
    environment = {**os.environ, "PYTHONPATH": str(code), "OPENBLAS_NUM_THREADS": "1"}
    rounds = [{str(frame): lines(objects, frame)} for frame in (2, frames // 2)]
    last = 0 if frames // 2 > frames - 1 - frames // 2 else frames - 1
    words = [str(folder / "store"), json.dumps(rounds), str(RUNS), str(last)]
    done = subprocess.run(
        [sys.executable, "-c", TIMED, *words],
        cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return [*json.loads(done.stdout), commands(environment, folder, objects, frames)]


def commands(environment: dict[str, str], folder: Path, objects: int, frames: int) -> float:
    """``adapt``, then ``render``, each a process."""
    every: list[list[object]] = [[] for _ in range(frames)]
    every[2] = [{"path": path, "object_id": k} for k, path in lines(objects, 2)]
    (folder / "s.json").write_text(json.dumps({"scribbles": every}))
    store = ("--store", str(folder / "store"))
    adapt = ("adapt", "bench", "--scribbles", str(folder / "s.json"), "--out")
    best = 1e9
    for run in range(RUNS):
        adapter, masks = str(folder / f"{objects}-{run}.h5"), str(folder / f"masks-{objects}-{run}")
        begun = os.times().elapsed
        for command in ((*adapt, adapter, *store), ("render", "bench", "--adapter", adapter,
                                                    "--out", masks, *store)):  # fmt: skip
            subprocess.run(
                [sys.executable, "-m", "vostool", *command],
                cwd=folder, env=environment, check=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        best = min(best, os.times().elapsed - begun)
        for made in (Path(masks), Path(adapter)):
            subprocess.run(["rm", "-r", str(made)], check=True)
    return best


def lines(objects: int, frame: int) -> list[tuple[int, list[list[float]]]]:
    """A stroke an object, from left to right, and one on the background below."""
    step = 1 / (objects + 1)
    shift = 0.001 * frame
    drawn = [
        (k, [[k * step + shift, 0.42], [k * step + shift, 0.6]]) for k in range(1, objects + 1)
    ]
    return [*drawn, (0, [[0.1, 0.95], [0.9, 0.95]])]


if __name__ == "__main__":
    main()
