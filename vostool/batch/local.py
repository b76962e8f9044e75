"""Jobs on this machine: some processes that work through the clips, with all stages of each."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from vostool.batch.folder import BatchFolder
from vostool.batch.jobs import run_local_job
from vostool.batch.plan import Work, deal
from vostool.batch.scheduler import RUNNING, Limits, Note, check_submitit

FOREVER = 60 * 24 * 365
"""Minutes: on this machine, jobs have no limit."""


class Local:
    """This machine, as a :class:`vostool.batch.scheduler.Scheduler`.

    Args:
        batch: the batch.
        limits: how many processes at once; one where nothing is said, for networks take all cores.
    """

    outlives = False

    def __init__(self, batch: BatchFolder, limits: Limits) -> None:
        self._batch, self._at_once = batch, limits.at_once or 1

    def check(self) -> None:
        """Nothing is needed but submitit."""
        check_submitit()

    def submit(self, groups: Sequence[tuple[Work, ...]], name: str, note: Note) -> None:
        """Start the processes; how clips were grouped does not matter."""
        from submitit import LocalExecutor

        executor = LocalExecutor(folder=self._batch.submitit)
        executor.update_parameters(timeout_min=FOREVER, stderr_to_stdout=True)
        cores = max(1, (os.cpu_count() or 1) // self._at_once)
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        folder = str(self._batch.path)
        for job in deal([work for works in groups for work in works], self._at_once, name):
            started = executor.submit(run_local_job, folder, job, cores, visible)
            note([(started.job_id, job)])
            while not (started.done() or self.alive([started.job_id])):
                time.sleep(0.01)  # until it is called as it is to be

    def alive(self, numbers: Iterable[str]) -> dict[str, str]:
        """Those whose process is there, and is one of submitit's for this batch."""
        ours = str(self._batch.submitit)
        return {number: RUNNING for number in numbers if ours in _words_of(number)}

    def cancel(self, numbers: Sequence[str]) -> None:
        """Tell the processes to end, which they pass on to their commands."""
        for number in self.alive(numbers):
            with suppress(ProcessLookupError):
                os.kill(int(number), signal.SIGTERM)


def _words_of(process: str) -> list[str]:
    """The words of a process's command line; none where it is at its end."""
    if Path("/proc/self/cmdline").exists():
        with suppress(OSError):
            return Path("/proc", process, "cmdline").read_text(errors="replace").split("\0")
        return []
    asked = ["ps", "-o", "args=", "-p", process]
    return subprocess.run(asked, capture_output=True, text=True).stdout.split()
