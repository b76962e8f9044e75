"""Jobs on a cluster that Slurm schedules: an array a stage, of the same groups of clips.

Slurm's accounting, which not every cluster has, is not asked: the queue tells which jobs are not at
their end, and what became of the others, stamps and outcomes tell.
"""

from __future__ import annotations

import io
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr

from vostool.batch.folder import BatchFolder
from vostool.batch.jobs import run_job
from vostool.batch.plan import Chain, Work, chains
from vostool.batch.scheduler import RUNNING, WAITING, Limits, Note, check_submitit
from vostool.errors import VostoolError

COMMANDS = ("sbatch", "srun", "squeue", "scancel", "scontrol")
AT_ONCE = 50
"""Jobs of an array that run at the same time, unless told otherwise."""
NEVER = "DependencyNeverSatisfied"
"""Why a job waits whose predecessor was stopped; Slurm removes it in a while."""
WORDS = 1000
"""Jobs that are named in one command."""


class Slurm:
    """A cluster, as a :class:`vostool.batch.scheduler.Scheduler`.

    Args:
        batch: the batch.
        limits: what jobs may take.
    """

    outlives = True

    def __init__(self, batch: BatchFolder, limits: Limits) -> None:
        self._batch, self._limits = batch, limits

    def check(self) -> None:
        """Submitit and Slurm's commands are needed."""
        check_submitit()
        for command in COMMANDS:
            if shutil.which(command) is None:
                raise VostoolError(
                    f"{command}: not in PATH; call this where Slurm's commands are, "
                    "or give --on local"
                )

    def submit(self, groups: Sequence[tuple[Work, ...]], name: str, note: Note) -> None:
        """Submit arrays, each as long as the cluster allows."""
        for chain in chains(groups, name, _longest_array()):
            self._submit_chain(chain, note)

    def alive(self, numbers: Iterable[str]) -> dict[str, str]:
        """Those that are in the queue, and not for ever."""
        whose = ("--user", str(os.getuid()))
        told = _ask("squeue", "--noheader", "--array", *whose, "--format", "%i|%T|%r|%o")
        rows = [line.strip().split("|", 3) for line in told.splitlines()]
        asked, ours = {*numbers}, str(self._batch.submitit)  # numbers come again, in years
        return {
            number: WAITING if state == "PENDING" else RUNNING
            for number, state, why, script in rows
            if number in asked and why != NEVER and script.startswith(ours)
        }

    def cancel(self, numbers: Sequence[str]) -> None:
        """Let Slurm stop them."""
        for start in range(0, len(numbers), WORDS):
            _ask("scancel", "--quiet", *numbers[start : start + WORDS])

    def _submit_chain(self, chain: Chain, note: Note) -> None:
        from submitit import SlurmExecutor
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        limits, before = self._limits, None
        for jobs in chain:
            # By exec, so that signals reach it, and not a shell that waits for it.
            executor = SlurmExecutor(
                self._batch.submitit, python=f"exec {shlex.quote(sys.executable)}"
            )
            executor.update_parameters(
                job_name=f"vostool-{jobs[0].works[0].stages[0]}", time=limits.minutes,
                partition=limits.partition, gpus_per_node=limits.gpus,
                array_parallelism=limits.at_once or AT_ONCE,
                dependency=None if before is None else f"aftercorr:{before}",
                additional_parameters={"kill-on-invalid-dep": "yes", **limits.options},
                use_srun=False, stderr_to_stdout=True, wckey=None,
            )  # fmt: skip
            try:
                with redirect_stderr(io.StringIO()):  # submitit prints what it raises
                    given = executor.map_array(run_job, [str(self._batch.path)] * len(jobs), jobs)
            except (FailedJobError, FailedSubmissionError) as problem:
                raise VostoolError(_its_words("sbatch", str(problem))) from problem
            note([(one.job_id, job) for one, job in zip(given, jobs, strict=True)])
            before = given[0].job_id.partition("_")[0]


def _longest_array() -> int:
    """The most jobs that an array of this cluster may have."""
    settings = (line.partition("=") for line in _ask("scontrol", "show", "config").splitlines())
    found = {name.strip(): value.strip() for name, _, value in settings}
    return max(1, int(found.get("MaxArraySize", 1)))


def _ask(*words: str) -> str:
    """What one of Slurm's commands prints.

    Raises:
        VostoolError: it fails, or is not there.
    """
    try:
        done = subprocess.run(words, capture_output=True, text=True)
    except FileNotFoundError as problem:
        raise VostoolError(
            f"{words[0]}: not in PATH; call this where Slurm's commands are"
        ) from problem
    if done.returncode:
        raise VostoolError(_its_words(words[0], done.stderr))
    return done.stdout


def _its_words(command: str, told: str) -> str:
    """What a command of Slurm's has to say, in one line."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    bare = [line.removeprefix(f"{command}: ").removeprefix("error: ") for line in lines]
    return f"{command}: {'; '.join(bare) or 'failed without a word'}"
