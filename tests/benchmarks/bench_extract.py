"""``extract``'s frames a second as a share of the bare network's; and how stages bear company.

    python tests/benchmarks/bench_extract.py [--frames 100] [--busy]

Both rates are taken in turn, with the processor's time beside the clock's. With ``--busy``:
``extract`` and ``propagate`` as processes, alone, beside a process that keeps a core busy, two one
after the other, and two at once; threads that wait by spinning show in the processor's time. The
shortest of three runs counts. Prints a Markdown table, and
how busy the machine was.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from common import a_busy_process, clip_480p, table

from vostool.backbones import DEFAULT, load_backbone
from vostool.clips import Clip
from vostool.pipeline.extraction import extract
from vostool.store import FeatureStore
from vostool.store.layout import CHUNK_FRAMES

RUNS = 3


@click.command()
@click.option("--frames", default=100, show_default=True)
@click.option("--busy", is_flag=True, help="Beside other work.")
def main(frames: int, busy: bool) -> None:
    """Print the table."""
    print(f"load before: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    with clip_480p(frames) as clip, TemporaryDirectory() as folder:
        (in_company if busy else against_the_network)(clip, Path(folder))
    print(f"load after: {os.getloadavg()[0]:.1f}", file=sys.stderr)


def against_the_network(clip: Clip, folder: Path) -> None:
    """Frames a second, and processor time, of the network alone and of the whole stage."""
    network = load_backbone(DEFAULT)
    chunk = np.stack([frame for frame, _ in zip(clip.frames(), range(CHUNK_FRAMES), strict=False)])
    frames = clip.expected_frames
    counts = (frames // CHUNK_FRAMES * CHUNK_FRAMES, frames)

    def bare() -> None:
        for _ in range(frames // CHUNK_FRAMES):
            network.features(chunk)

    def whole() -> None:
        extract(clip, FeatureStore(folder).clip("bench"))
        shutil.rmtree(folder / "bench.zarr")

    best = fastest(bare, whole)
    rates = [count / clock for count, (clock, _) in zip(counts, best, strict=True)]
    spent = [processor / count for count, (_, processor) in zip(counts, best, strict=True)]
    table(
        f"extract, {frames} frames at 480p, decoding and writing included",
        ("", "bare network", "extract", "share"),
        [
            ("frames/s", *(f"{rate:.1f}" for rate in rates), f"{rates[1] / rates[0]:.0%}"),
            (
                "ms of the processor a frame",
                *(f"{1e3 * one:.1f}" for one in spent),
                f"{spent[0] / spent[1]:.0%}",
            ),
        ],
    )


def fastest(*ways: Callable[[], float | None]) -> list[tuple[float, float]]:
    """The least seconds of the clock and of the processor that each takes, in turn.

    Args:
        ways: what is timed; what it gives, if anything, is the processor's time of processes.
    """
    best = [(float("inf"), float("inf"))] * len(ways)
    for _ in range(RUNS):
        for n, way in enumerate(ways):
            begun, spent = time.perf_counter(), time.process_time()
            elsewhere = way() or 0.0
            clock = time.perf_counter() - begun
            processor = time.process_time() - spent + elsewhere
            best[n] = min(best[n][0], clock), min(best[n][1], processor)
    return best


def in_company(clip: Clip, folder: Path) -> None:
    """Seconds of each stage alone and beside others."""
    stores = [folder / "one", folder / "other"]
    for store in stores:
        extract(clip, FeatureStore(store).clip("bench"))
    extracting = ("extract", str(clip.path), "--name", "bench")
    rows = [row for words in (extracting, ("propagate", "bench")) for row in rows_of(words, stores)]
    table(
        f"Stages in company, {clip.expected_frames} frames at 480p, s",
        (
            "", "alone", "beside a busy process", "two in turn", "two at once", "busy / alone",
            "at once / in turn",
        ),
        rows,
    )  # fmt: skip


def rows_of(words: Sequence[str], stores: Sequence[Path]) -> list[tuple[str, ...]]:
    """A stage alone, beside a busy process, two in turn and two at once; by both clocks."""

    def alone() -> float:
        return finished([started(words, stores[0])])

    def beside() -> float:
        with a_busy_process():
            return alone()

    def in_turn() -> float:
        return sum(finished([started(words, store)]) for store in stores)

    def at_once() -> float:
        return finished([started(words, store) for store in stores])

    rows = []
    both = zip(*fastest(alone, beside, in_turn, at_once), strict=True)
    for clock, seconds in zip(("", ", of the processor"), both, strict=True):
        quiet, busy, two, together = seconds
        ratios = (f"{busy / quiet:.2f}", f"{together / two:.2f}")
        rows.append((f"{words[0]}{clock}", *(f"{one:.2f}" for one in seconds), *ratios))
    return rows


def started(words: Sequence[str], store: Path) -> subprocess.Popen[bytes]:
    """A command that makes a stage anew."""
    stage = {"extract": "backbone", "propagate": "context"}[words[0]]
    shutil.rmtree(store / "bench.zarr" / DEFAULT / stage, ignore_errors=True)
    return subprocess.Popen(
        [sys.executable, "-m", "vostool", *words, "--store", str(store)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def finished(commands: Sequence[subprocess.Popen[bytes]]) -> float:
    """Wait for some commands; the processor's seconds that they took."""
    spent = 0.0
    for command in commands:
        _, status, usage = os.wait4(command.pid, 0)
        command.returncode = os.waitstatus_to_exitcode(status)
        if command.returncode:
            raise RuntimeError(f"a command failed: {command.args!r}")
        spent += usage.ru_utime + usage.ru_stime
    return spent


if __name__ == "__main__":
    main()
