"""What the command line does with a batch: begin it or go on with it, look at it, stop it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vostool.batch import report
from vostool.batch.folder import BatchFolder, Submitted
from vostool.batch.local import Local
from vostool.batch.missing import Look, Stamps, source_bytes
from vostool.batch.plan import SHARE, Pace, Work, group
from vostool.batch.report import Row
from vostool.batch.scheduler import RUNNING, Limits, Scheduler
from vostool.batch.slurm import Slurm
from vostool.batch.task import Task
from vostool.mounts import beyond_locks
from vostool.pipeline.progress import Progress, Say, quiet
from vostool.store.layout import is_url

SCHEDULERS: dict[str, Callable[[BatchFolder, Limits], Scheduler]] = {
    "local": Local,
    "slurm": Slurm,
}
"""What can run jobs, by its name on the command line."""
SOONEST, LATEST, SLOWER = 0.5, 15.0, 1.3
"""Seconds between two looks at the jobs: at first, at last, and by what they grow."""


@dataclass(frozen=True)
class Live:
    """The jobs that are not at their end.

    Attributes:
        jobs: what each does.
    """

    jobs: Mapping[Submitted, str]

    @property
    def clips(self) -> dict[str, str]:
        """What the jobs of each clip do: running, if one of them does."""
        states: dict[str, str] = {}
        for job, state in self.jobs.items():
            for clip in job.clips:
                states[clip] = RUNNING if state == RUNNING else states.get(clip, state)
        return states

    @property
    def keys(self) -> frozenset[str]:
        """Their keys."""
        return frozenset(job.key for job in self.jobs)


def begin(
    folder: Path,
    task: Task,
    clips: Mapping[str, str],
    on: str,
    limits: Limits,
    *,
    wait: bool = True,
    progress: Progress = quiet,
    say: Say = quiet,
) -> list[Row]:
    """Submit what is missing of some clips, and wait for it.

    Args:
        folder: the batch's.
        task: what is to be made of each clip.
        clips: their sources, by their names.
        on: one of :data:`SCHEDULERS`.
        limits: what jobs may take.
        wait: return when no job is left; else at once.
        progress: told of clips done, while it waits.
        say: told how much there is to do, and where locks may not hold between machines.

    Returns:
        How far each clip is, in the clips' order.

    Raises:
        OutputError: the folder is the user's, or cannot be written, or another call plans there.
        WeightsError: weights are missing.
        VostoolError: the scheduler is not there, or does not take the jobs.
    """
    batch = BatchFolder(folder)
    batch.check_ours()
    scheduler = SCHEDULERS[on](batch, limits)
    scheduler.check()
    stamps = Stamps(task)
    if scheduler.outlives and not is_url(task.store) and (why := beyond_locks(Path(task.store))):
        say(why)
    with batch.held():
        batch.begin(task, clips)
        looks = {clip: stamps.look(clip, source) for clip, source in clips.items()}
        live = _live(batch, {*clips})
        works = [
            Work(clip, source, looks[clip].missing)
            for clip, source in clips.items()
            if looks[clip].missing and clip not in live.clips
        ]
        say(f"{len(clips)} clips: {len(works)} to submit, {len(live.clips)} with jobs already")
        sizes = {clip: source_bytes(source) for clip, source in clips.items()}
        pace = Pace.measured(_made(batch, looks, sizes))
        groups = group(works, sizes, pace, SHARE * limits.minutes * 60)
        name = time.strftime("%Y%m%d-%H%M%S")
        scheduler.submit(groups, name, lambda numbered: batch.note(on, numbered))
    if wait:
        _wait(batch, scheduler, {*clips}, progress)
    return status(folder)


def status(folder: Path) -> list[Row]:
    """How far a batch is, a row a clip; its report is written anew.

    Raises:
        VostoolError: there is no batch, or its scheduler does not answer.
    """
    batch = BatchFolder(folder)
    stamps = Stamps(batch.task)
    looks = {clip: stamps.look(clip, source) for clip, source in batch.clips.items()}
    missing = {clip: look.missing for clip, look in looks.items()}
    live = _live(batch, {clip for clip, stages in missing.items() if stages})
    rows = report.rows(batch, missing, live.clips, live.keys)
    report.write(batch, rows)
    return rows


def cancel(folder: Path) -> int:
    """Stop the jobs of a batch; what is made stays, and the next call takes up the rest.

    Returns:
        How many jobs were not at their end.

    Raises:
        VostoolError: there is no batch, or its scheduler does not answer.
    """
    batch = BatchFolder(folder)
    batch.clips  # noqa: B018 - tells where there is no batch
    live = _live(batch)
    for on, scheduler in SCHEDULERS.items():
        numbers = [job.number for job in live.jobs if job.on == on]
        if numbers:
            scheduler(batch, Limits()).cancel(numbers)
    return len(live.jobs)


def _live(batch: BatchFolder, clips: set[str] | None = None) -> Live:
    """The jobs that are not at their end, of some clips or of all."""
    jobs = [job for job in batch.submitted() if clips is None or not clips.isdisjoint(job.clips)]
    states: dict[Submitted, str] = {}
    for on, scheduler in SCHEDULERS.items():
        numbered = {job.number: job for job in jobs if job.on == on}
        if numbered:
            alive = scheduler(batch, Limits()).alive(numbered)
            states |= {numbered[number]: state for number, state in alive.items()}
    return Live(states)


def _made(
    batch: BatchFolder, looks: Mapping[str, Look], sizes: Mapping[str, int]
) -> Iterator[tuple[str, float, int]]:
    """What was made of clips: the stage, its seconds, the bytes of the source.

    Of stages that this batch has made it is what their commands took as a whole, else what the
    stamps tell.
    """
    counted = set()
    for outcome in batch.outcomes():
        clip, stage = outcome["clip"], outcome["stage"]
        if outcome["error"] is None and clip in sizes:
            counted.add((clip, stage))
            yield stage, outcome["seconds"], sizes[clip]
    for clip, look in looks.items():
        for stage, seconds in look.seconds.items():
            if (clip, stage) not in counted:
                yield stage, seconds, sizes[clip]


def _wait(batch: BatchFolder, scheduler: Scheduler, clips: set[str], progress: Progress) -> None:
    """Return when no job of some clips is left; where jobs do not outlive this call, stop them."""
    last = batch.task.stages[-1]
    pause = SOONEST
    try:
        while _live(batch, clips).jobs:
            made = {row["clip"] for row in batch.outcomes() if row["stage"] == last}
            progress(len(made & clips), len(clips))
            time.sleep(pause)
            pause = min(LATEST, pause * SLOWER)
    except BaseException:
        if not scheduler.outlives:
            _stop(batch, scheduler, clips)
        raise


def _stop(batch: BatchFolder, scheduler: Scheduler, clips: set[str]) -> None:
    """Stop the jobs of some clips, and return when they have ended, or soon."""
    scheduler.cancel([job.number for job in _live(batch, clips).jobs])
    end = time.monotonic() + LATEST
    while _live(batch, clips).jobs and time.monotonic() < end:
        time.sleep(SOONEST)
