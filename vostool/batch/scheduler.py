"""What runs jobs, as far as a batch knows it, and what every kind of it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Protocol

from vostool.batch.plan import Job, Work
from vostool.errors import VostoolError

RUNNING, WAITING = "running", "waiting"
"""What a job does that is not at its end."""

Note = Callable[[Sequence[tuple[str, Job]]], None]
"""Told of jobs that were submitted: what the scheduler calls each, and the job."""


@dataclass(frozen=True)
class Limits:
    """What jobs may take.

    Attributes:
        at_once: how many run at the same time; None for as many as suit the scheduler.
        minutes: after which a job is stopped, on a cluster.
        partition: of the cluster; None for its own choice.
        gpus: a job, on a cluster; None for none.
        options: others of the cluster's, by their names.
    """

    at_once: int | None = None
    minutes: int = 60
    partition: str | None = None
    gpus: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)


class Scheduler(Protocol):
    """Runs jobs.

    Attributes:
        outlives: whether its jobs go on when the call that waits for them is stopped.
    """

    outlives: bool

    def check(self) -> None:
        """Make sure that it is there.

        Raises:
            VostoolError: it is not; the line says what to do.
        """

    def submit(self, groups: Sequence[tuple[Work, ...]], name: str, note: Note) -> None:
        """Give it jobs.

        Args:
            groups: the clips of each job.
            name: with which the jobs' keys begin.
            note: told of those that were submitted, as they are.

        Raises:
            VostoolError: it does not take them, or no more of them.
        """

    def alive(self, numbers: Iterable[str]) -> dict[str, str]:
        """Which of some jobs are not at their end: :data:`RUNNING` or :data:`WAITING`.

        Raises:
            VostoolError: it does not answer.
        """

    def cancel(self, numbers: Sequence[str]) -> None:
        """Stop some jobs that are not at their end.

        Raises:
            VostoolError: it does not answer.
        """


def check_submitit() -> None:
    """Make sure that what submits jobs is installed.

    Raises:
        VostoolError: it is not.
    """
    if find_spec("submitit") is None:
        raise VostoolError("a batch needs submitit; install it with: pip install 'vostool[batch]'")
