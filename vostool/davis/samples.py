"""Finished samples on disk, a file each, so that an interrupted evaluation goes on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vostool.davis.session import Report, Round, SampleRun
from vostool.errors import VostoolError
from vostool.files import parse_json, replacing
from vostool.images import Mask, read_mask
from vostool.writers.png import write_mask

COLUMNS = ("interaction", "object_id", "frame", "jaccard", "contour", "j_and_f", "timing")
"""Of the package's report, those that differ within a sample."""


@dataclass(frozen=True)
class Sample:
    """A finished sample, as it lies on disk.

    Attributes:
        sequence: its sequence.
        number: of its first round, from 1.
        jobs: how many samples ran side by side.
        columns: the report's, by name.
        rounds: what the report does not tell.
        worst_frame: the frame with the least J&F in the last round.
        worst_mask: what was submitted for it.
    """

    sequence: str
    number: int
    jobs: int
    columns: dict[str, list[float]]
    rounds: list[Round]
    worst_frame: int
    worst_mask: Mask

    def report(self, session_id: str) -> Report:
        """The package's report of this sample, in its own columns and order."""
        import pandas

        table = pandas.DataFrame(self.columns)
        for name, value in (
            ("scribble_idx", self.number),
            ("sequence", self.sequence),
            ("session_id", session_id),
        ):
            table.insert(0, name, value)
        return table


def write_sample(
    folder: Path, made_from: dict[str, Any], name: str, number: int, jobs: int, run: SampleRun
) -> None:
    """Write a finished sample; it is there when all of it is.

    Args:
        folder: the samples' folder.
        made_from: what decides the scores; :func:`read_sample` takes no other's.
        name: the sequence.
        number: of its first round.
        jobs: how many samples ran side by side.
        run: what came of it.
    """
    file = _file(folder, name, number)
    content = {
        "made_from": made_from,
        "jobs": jobs,
        "rounds": [asdict(round_) for round_ in run.rounds],
        "worst_frame": run.worst_frame,
        "report": {column: run.report[column].tolist() for column in COLUMNS},
    }
    with replacing(file.with_suffix(".png")) as tmp:
        write_mask(tmp, run.worst_mask)
    sample = {"digest": _digest(content, file), **content}
    with replacing(file) as tmp:
        tmp.write_text(json.dumps(sample))


def read_sample(folder: Path, made_from: dict[str, Any], name: str, number: int) -> Sample | None:
    """Read a finished sample; None where there is none, one made from something else or damaged."""
    file = _file(folder, name, number)
    try:
        content = parse_json(file.read_text())
        if content.pop("digest") != _digest(content, file) or content["made_from"] != made_from:
            return None
        return Sample(
            sequence=name,
            number=number,
            jobs=content["jobs"],
            columns={column: content["report"][column] for column in COLUMNS},
            rounds=[Round(**round_) for round_ in content["rounds"]],
            worst_frame=content["worst_frame"],
            worst_mask=read_mask(file.with_suffix(".png")),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, VostoolError):
        return None


def _digest(content: dict[str, Any], file: Path) -> str:
    """A hash over a sample and the mask beside it."""
    text = json.dumps(content, sort_keys=True).encode()
    mask = file.with_suffix(".png").read_bytes()
    return hashlib.blake2b(text + mask, digest_size=16).hexdigest()


def _file(folder: Path, name: str, number: int) -> Path:
    return folder / f"{name}.{number:03d}.json"
