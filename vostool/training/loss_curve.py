"""A training to look at."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

WINDOW = 50
"""Iterations over which the curve is averaged: single losses are mostly of their shot."""


def draw_losses(log: Path, file: Path) -> None:
    """Draw a log's loss over iterations, each and averaged.

    Args:
        log: what the trainer wrote.
        file: the PNG to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with log.open(newline="") as stream:
        losses = np.array([float(row["loss"]) for row in csv.DictReader(stream)])
    window = min(WINDOW, len(losses))
    averaged = np.convolve(losses, np.ones(window) / window, mode="valid")
    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(losses, ".", markersize=1, color="0.7")
    axes.plot(np.arange(len(averaged)) + window - 1, averaged)
    axes.set(xlabel="iterations", ylabel="loss", ylim=(0, float(np.quantile(losses, 0.99)) * 1.05))
    axes.grid(alpha=0.3)
    figure.savefig(file)
