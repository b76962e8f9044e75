"""J and F: davisinteractive's functions and ours, on the same masks in the same run.

python tests/benchmarks/bench_metrics.py
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from common import best_of, table
from numpy.typing import NDArray

from vostool.davis import compat, metrics

FRAMES, HEIGHT, WIDTH = 40, 480, 854
OBJECT_IDS = (1, 2)


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


def ms_a_frame(score: Callable[[], object]) -> float:
    """Milliseconds a frame of the fastest of some calls."""
    return 1000 * best_of(score) / FRAMES


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
    times = {name: np.array([ms_a_frame(score) for score in row]) for name, row in rows.items()}
    times["J and F"] = times["J"] + times["F"]
    table(
        f"Scores, {FRAMES} frames of {WIDTH}x{HEIGHT} with {len(OBJECT_IDS)} objects",
        ("what", "davisinteractive, ms a frame", "vostool, ms a frame", "times as fast"),
        [
            (name, f"{theirs:.2f}", f"{ours:.2f}", f"{theirs / ours:.1f}")
            for name, (theirs, ours) in times.items()
        ],
    )


if __name__ == "__main__":
    main()
