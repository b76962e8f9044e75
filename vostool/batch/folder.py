"""A batch's folder: what was asked for, what was submitted, what came of it.

DIR/batch.json             the task and the clips, as they were asked for last
DIR/masks/CLIP/            the masks of a clip
DIR/report.html, .jsonl    how far it is, and what failed
DIR/logs/STAGE/CLIP.log    what the command printed
DIR/jobs/submitted.jsonl   every job: what its scheduler calls it, and its clips
DIR/jobs/outcomes/JOB.jsonl    what became of each clip of a job
DIR/jobs/submitit/         what submitit keeps
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vostool.batch.plan import Job
from vostool.batch.task import Task
from vostool.errors import OutputError, VostoolError
from vostool.files import parse_json, replacing, unwritable
from vostool.version import __version__

SETTINGS = "batch.json"


@dataclass(frozen=True)
class Submitted:
    """A job that a scheduler was given.

    Attributes:
        key: the batch's name for it.
        on: the scheduler.
        number: the scheduler's name for it.
        clips: whose.
    """

    key: str
    on: str
    number: str
    clips: tuple[str, ...]


class BatchFolder:
    """A folder of a batch.

    Args:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def submitit(self) -> Path:
        """What submitit keeps."""
        return self.path / "jobs" / "submitit"

    def log(self, stage: str, clip: str) -> Path:
        """What the command printed that made a stage of a clip."""
        return self.path / "logs" / stage / f"{clip}.log"

    def outcomes_file(self, key: str) -> Path:
        """Where a job notes what becomes of its clips."""
        return self.path / "jobs" / "outcomes" / f"{key}.jsonl"

    def check_ours(self) -> None:
        """Make sure that nothing of the user's is in its place.

        Raises:
            OutputError: something is there that is no batch.
        """
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path}: is no folder; name another")
        if self.path.is_dir() and any(self.path.iterdir()) and not self._is_ours():
            raise OutputError(
                f"{self.path}: holds {min(entry.name for entry in self.path.iterdir())}, and is no "
                "folder of a batch; name another"
            )

    def _is_ours(self) -> bool:
        try:
            return str(self._settings()["made_by"]).startswith("vostool ")
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _settings(self) -> dict[str, Any]:
        stored: dict[str, Any] = parse_json((self.path / SETTINGS).read_text())
        return stored

    def begin(self, task: Task, clips: Mapping[str, str]) -> None:
        """Note what is asked for, in the place of what was.

        Args:
            task: what is to be made of each clip.
            clips: their sources, by their names.

        Raises:
            OutputError: it cannot be written.
        """
        content = {"made_by": f"vostool {__version__}", "task": task.as_json(), "clips": {**clips}}
        try:
            self.outcomes_file("").parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.path / SETTINGS) as tmp:
                tmp.write_text(json.dumps(content, indent=0) + "\n")
        except OSError as problem:
            raise unwritable(self.path, problem) from problem

    @property
    def task(self) -> Task:
        """What is to be made of each clip.

        Raises:
            VostoolError: there is no batch.
        """
        return Task.from_json(self._whole()["task"])

    @property
    def clips(self) -> dict[str, str]:
        """The clips' sources, by their names.

        Raises:
            VostoolError: there is no batch.
        """
        return {str(name): str(source) for name, source in self._whole()["clips"].items()}

    def _whole(self) -> dict[str, Any]:
        try:
            stored = self._settings()
            Task.from_json(stored["task"])
            return {**stored, "clips": dict(stored["clips"])}
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise VostoolError(
                f"{self.path}: no batch; begin one with: vostool batch CLIP... --out {self.path}"
            ) from problem

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it, so that no two calls submit the same clips.

        Raises:
            OutputError: another call holds it, or it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path / ".lock", timeout=0):
                yield
        except Timeout as problem:
            raise OutputError(f"{self.path}: another call plans this batch; wait") from problem

    def note(self, on: str, numbered: Sequence[tuple[str, Job]]) -> None:
        """Note jobs that were submitted, and what their scheduler calls them."""
        rows = [
            Submitted(job.key, on, number, tuple(work.clip for work in job.works))
            for number, job in numbered
        ]
        with (self.path / "jobs" / "submitted.jsonl").open("a") as stream:
            stream.write("\n")  # behind a line that a kill has cut short
            stream.writelines(json.dumps(asdict(row)) + "\n" for row in rows)

    def submitted(self) -> list[Submitted]:
        """All jobs that were ever submitted, the first one first."""
        rows = _rows(self.path / "jobs" / "submitted.jsonl")
        return [Submitted(**{**row, "clips": tuple(row["clips"])}) for row in rows]

    def outcomes(self) -> Iterator[dict[str, Any]]:
        """What became of clips, a row each, in no order."""
        for file in sorted(self.outcomes_file("").parent.glob("*.jsonl")):
            yield from _rows(file)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of JSON lines; the last one may be cut short, by a kill."""
    if not file.exists():
        return
    with file.open(errors="replace") as stream:
        for line in stream:
            try:
                yield parse_json(line)
            except ValueError:
                continue
