"""J and F: davisinteractive's functions and ours, on the same masks in the same run.

Run as `python tests/benchmarks/bench_metrics.py`. It prints milliseconds a frame and asserts
nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vostool.davis import compat, metrics

FRAMES, HEIGHT, WIDTH = 40, 480, 854
OBJECT_IDS = (1, 2)
REPEATS = 3


def two_ellipses(frame: int, shift: int) -> NDArray[np.uint8]:
    """(H, W) labels of two objects with wavy outlines, moved a little from frame to frame."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for object_id, (row, column, radius) in zip(
        OBJECT_IDS, ((200, 260, 90), (280, 560, 120)), strict=True
    ):
        down, right = rows - row - shift, (columns - column - 4 * frame - shift) / 1.3
        wave = 1 + 0.1 * np.sin(7 * np.arctan2(down, right) + frame)
        labels[np.hypot(down, right) < radius * wave] = object_id
    return labels


def best_ms_per_frame(score: Callable[[], object]) -> float:
    """Milliseconds a frame of the fastest of some calls."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        score()
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds) / FRAMES


def main() -> None:
    """Print the table."""
    official = compat.load().metrics
    truth = np.stack([two_ellipses(frame, shift=0) for frame in range(FRAMES)])
    predicted = np.stack([two_ellipses(frame, shift=6) for frame in range(FRAMES)])
    both = {"average_over_objects": False, "nb_objects": len(OBJECT_IDS)}

    rows: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "J": (
            lambda: official.batched_jaccard(truth, predicted, **both),
            lambda: metrics.jaccard(truth, predicted, OBJECT_IDS),
        ),
        "F": (
            lambda: official.batched_f_measure(truth, predicted, **both),
            lambda: metrics.f_measure(truth, predicted, OBJECT_IDS),
        ),
    }
    print(f"{FRAMES} frames of {WIDTH}x{HEIGHT}, {len(OBJECT_IDS)} objects, ms a frame")
    print(f"{'':8}{'official':>10}{'ours':>10}{'ratio':>8}")
    totals = np.zeros(2)
    for name, (theirs, ours) in rows.items():
        times = np.array([best_ms_per_frame(theirs), best_ms_per_frame(ours)])
        totals += times
        print(f"{name:8}{times[0]:10.2f}{times[1]:10.2f}{times[0] / times[1]:8.1f}")
    print(f"{'J and F':8}{totals[0]:10.2f}{totals[1]:10.2f}{totals[0] / totals[1]:8.1f}")


if __name__ == "__main__":
    main()
