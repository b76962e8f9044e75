"""What an evaluation leaves in its folder, for people and for scripts.

``warm.csv`` and ``cold.csv`` are reports in the package's own form, ``summary.json`` holds every
figure, ``curve.png`` shows J&F over time, ``worst.html`` the frames that went wrong. Warm is a
user's wait with features stored. Cold adds what the features of the clip took to the first round of
each of its samples, as the paper's section 3 counts it.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vostool.davis.evaluation import Evaluation
from vostool.davis.root import DavisSequence
from vostool.davis.samples import Sample
from vostool.davis.session import Report, Summary, charge, summarize
from vostool.files import replacing, unwritable
from vostool.store import CacheKey
from vostool.version import __version__

DISTANCES = (0, 1, 2, 4, 8, 16)
"""Where bins of frames begin, by their distance from the nearest annotated one."""
LIBRARIES = (
    "davisinteractive", "numpy", "opencv-python", "pandas", "scikit-image", "scikit-learn", "torch",
)  # fmt: skip


def write_results(out: Path, evaluation: Evaluation) -> dict[str, Any]:
    """Write reports, summary, curve and worst frames.

    Returns:
        The content of ``summary.json``.

    Raises:
        OutputError: the folder cannot be written to.
    """
    from vostool.davis.pictures import write_curve, write_worst_frames

    warm = reports(evaluation, cold=False)
    cold = reports(evaluation, cold=True)
    summary = summary_of(evaluation, warm, cold)
    try:
        for name, report in (("warm", warm), ("cold", cold)):
            report.to_csv(out / f"{name}.csv")
        write_curve(out / "curve.png", {"": summary})
        write_worst_frames(out / "worst.html", evaluation)
        with replacing(out / "summary.json") as tmp:
            tmp.write_text(json.dumps(summary, indent=1) + "\n")
    except OSError as problem:
        raise unwritable(out, problem) from problem
    return summary


def reports(evaluation: Evaluation, *, cold: bool) -> Report:
    """All samples' reports, one under the other, under one of the clocks."""
    import pandas

    session_id = CacheKey(evaluation.settings).digest
    by_name = {sequence.name: sequence for sequence in evaluation.sequences}

    def report(sample: Sample) -> Report:
        seconds = evaluation.prepared[sample.sequence].seconds if cold else 0.0
        sequence = by_name[sample.sequence]
        return charge(
            sample.report(session_id), sample.rounds, seconds, sequence, evaluation.protocol
        )

    tables = [report(sample) for sample in evaluation.samples]
    # One without rows has columns without a type, and would spoil the others'.
    return pandas.concat([t for t in tables if len(t)] or tables, ignore_index=True)


def summary_of(evaluation: Evaluation, warm: Report, cold: Report) -> dict[str, Any]:
    """Every figure of an evaluation, as ``summary.json`` holds it."""

    def figures(sequences: Sequence[DavisSequence]) -> dict[str, Any]:
        names = [sequence.name for sequence in sequences]
        clocks = {
            name: summarize(report[report.sequence.isin(names)], sequences, evaluation.protocol)
            for name, report in (("cold", cold), ("warm", warm))
        }
        return {
            **{name: _headline(summary) for name, summary in clocks.items()},
            "rounds": _rounds(clocks["warm"], clocks["cold"]),
        }

    return {
        **figures(evaluation.sequences),
        "sequences": {
            sequence.name: {
                "frames": sequence.frames,
                "object_ids": sequence.object_ids,
                "samples": len(sequence.scribbles),
                "preparation_seconds": evaluation.prepared[sequence.name].seconds,
                **figures([sequence]),
            }
            for sequence in evaluation.sequences
        },
        "distance": _by_distance(evaluation, warm),
        "settings": evaluation.settings,
        "jobs": sorted({sample.jobs for sample in evaluation.samples}),
        "cache_keys": {name: clip.cache_keys for name, clip in evaluation.prepared.items()},
        "versions": versions(),
        "machine": {"processor": _processor(), "cores": os.cpu_count()},
    }


def versions() -> dict[str, str]:
    """Of what took part."""
    found = {"vostool": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:  # as with another build of OpenCV
            continue
    return found


def _headline(summary: Summary) -> dict[str, Any]:
    return {
        "auc": summary.auc,
        "j_and_f_at_60s": summary.j_and_f_at_60s,
        "curve": {"seconds": summary.seconds, "j_and_f": summary.j_and_f},
    }


def _rounds(warm: Summary, cold: Summary) -> list[dict[str, float]]:
    """A row a round; the seconds are those that it took, on average over samples."""
    return [
        {
            "j": warm.j[n],
            "f": warm.f[n],
            "j_and_f": warm.j_and_f[n],
            "seconds": warm.seconds[n] - warm.seconds[n - 1],
            "seconds_cold": cold.seconds[n] - cold.seconds[n - 1],
        }
        for n in range(1, len(warm.seconds) - 1)
    ]


def _by_distance(evaluation: Evaluation, report: Report) -> list[dict[str, Any]]:
    """J and F of the last round's frames, by their distance from the nearest annotated frame."""
    annotated = {
        (sample.sequence, sample.number): [f for r in sample.rounds for f in r.annotated_frames]
        for sample in evaluation.samples
    }
    last = report[report.interaction == evaluation.protocol.rounds]
    keys = zip(last.sequence, last.scribble_idx, last.frame, strict=True)
    distance = np.array(
        [min(abs(frame - a) for a in annotated[name, number]) for name, number, frame in keys]
    )
    rows: list[dict[str, Any]] = []
    for low, high in pairwise((*DISTANCES, np.inf)):
        here = last[(distance >= low) & (distance < high)]
        if len(here):
            away = f"{low} or more" if high == np.inf else f"{low} to {high - 1}"
            rows.append(
                {
                    "away": str(low) if high == low + 1 else away,
                    "frames": len(here),
                    "j": float(here.jaccard.mean()),
                    "f": float(here.contour.mean()),
                    "j_and_f": float(here.jaccard.mean() + here.contour.mean()) / 2,
                }
            )
    return rows


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
