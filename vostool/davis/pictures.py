"""An evaluation to look at: J&F over time, and the frames that went wrong."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vostool.davis.evaluation import Evaluation
from vostool.davis.root import DavisSequence
from vostool.davis.samples import Sample
from vostool.images import Frame, read_image
from vostool.masks import overlay

HEIGHT = 240
"""Of a picture on the page of worst frames, in pixels."""


def write_curve(file: Path, summaries: Mapping[str, dict[str, Any]]) -> None:
    """Draw J&F over seconds, cold and warm, a marker a round.

    Args:
        file: the PNG to write.
        summaries: contents of ``summary.json`` by what to call them in the legend.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for number, (label, summary) in enumerate(summaries.items()):
        for clock, line in (("cold", "-"), ("warm", "--")):
            curve = summary[clock]["curve"]
            axes.plot(
                curve["seconds"][1:],
                curve["j_and_f"][1:],
                f"{line}o",
                markersize=4,
                markevery=slice(0, -1),  # the last point is when time is up, no round
                color=f"C{number}",
                label=f"{label} {clock}, AUC {summary[clock]['auc']:.3f}".strip(),
            )
    axes.set(xscale="log", xlabel="seconds", ylabel="J&F", ylim=(0, 1))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axvline(60, color="0.7", linewidth=1, zorder=0)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(file)


def write_worst_frames(file: Path, evaluation: Evaluation) -> None:
    """Write a page with the worst frame of each sample's last round, the worst first.

    Image, truth and prediction lie side by side; the page holds the pictures itself.
    """
    by_name = {sequence.name: sequence for sequence in evaluation.sequences}
    rows = []
    for sample in evaluation.samples:
        j, f = _scores_of_worst_frame(sample)
        rows.append((0.5 * (j + f), j, f, sample))
    rows.sort(key=lambda row: row[0])
    with file.open("w", encoding="utf-8") as page:
        page.write(_HEAD)
        for j_and_f, j, f, sample in rows:
            caption = (
                f"<b>{html.escape(sample.sequence)}</b>, scribbles {sample.number:03d}, "
                f"frame {sample.worst_frame}: J&amp;F {j_and_f:.3f}, J {j:.3f}, F {f:.3f}"
            )
            picture = _strip(by_name[sample.sequence], sample)
            page.write(f'<p>{caption}<br><img alt="" src="{_embedded(picture)}"></p>\n')


_HEAD = """<!doctype html><meta charset="utf-8"><title>Worst frames</title>
<style>body { font: 15px sans-serif; margin: 2em } img { max-width: 100% }</style>
<h1>Worst frames</h1>
<p>The frame with the least J&amp;F of each sample's last round, the worst first: image, truth,
prediction.</p>
"""


def _scores_of_worst_frame(sample: Sample) -> tuple[float, float]:
    """J and F, mean over objects, of the worst frame of the last round that counted."""
    columns = {name: np.asarray(values) for name, values in sample.columns.items()}
    if not len(columns["frame"]):
        return 0.0, 0.0
    last = columns["interaction"] == columns["interaction"].max()
    here = last & (columns["frame"] == sample.worst_frame)
    return float(columns["jaccard"][here].mean()), float(columns["contour"][here].mean())


def _strip(sequence: DavisSequence, sample: Sample) -> Frame:
    image = read_image(sequence.clip.files[sample.worst_frame])
    truth = sequence.truth_of(sample.worst_frame)
    pictures = (image, overlay(image, truth), overlay(image, sample.worst_mask))
    strip = np.concatenate(pictures, axis=1)
    width = round(strip.shape[1] * HEIGHT / strip.shape[0])
    return cv2.resize(strip, (width, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _embedded(picture: Frame) -> str:
    _, jpeg = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]))
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}"
