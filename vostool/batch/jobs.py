"""The work of a job: the commands of its clips, one process each, and what became of each.

A process each costs a second or two of starting, and lets a clip crash, or run out of memory,
without the others. A job of which the scheduler has enough ends at once, and with it the command,
which leaves what the next one takes up.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from vostool.batch.folder import BatchFolder
from vostool.batch.missing import Stamps
from vostool.batch.plan import Job, Work
from vostool.stops import Stop

STOPPED = {128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGINT, -signal.SIGTERM}
"""Statuses of a command that was told to stop."""


@dataclass(frozen=True)
class Outcome:
    """What became of a stage of a clip.

    Attributes:
        clip, stage: which.
        job: the key of its job.
        seconds: that it took.
        ended: when, in seconds of the epoch.
        host: where.
        error: the one line that tells what is wrong; None where all is well.
    """

    clip: str
    stage: str
    job: str
    seconds: float
    ended: float
    host: str
    error: str | None


def run_job(folder: str, job: Job) -> None:
    """Work through a job's clips; one that fails is noted, and the others are done all the same.

    Args:
        folder: the batch's.
        job: the clips.

    Raises:
        Stop: the scheduler has told the job to stop, or its command.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
        signal.signal(number, _stop)
    if "SLURM_CPUS_ON_NODE" in os.environ:  # else networks take all that the node has
        os.environ.setdefault("OMP_NUM_THREADS", os.environ["SLURM_CPUS_ON_NODE"])
    batch = BatchFolder(Path(folder))
    stamps = Stamps(batch.task)
    with batch.outcomes_file(job.key).open("a") as stream:
        stream.write("\n")  # a job that runs again goes on behind a line that was cut short
        for work in job.works:
            for stage in work.stages:
                missing = stamps.look(work.clip, work.source).missing
                if stage not in missing:
                    continue  # another run has made it meanwhile
                if stage != missing[0]:
                    break  # what it is made from could not be made
                stream.write(json.dumps(asdict(_run(batch, job.key, work, stage))) + "\n")
                stream.flush()


def run_local_job(folder: str, job: Job, cores: int, visible: str | None) -> None:
    """:func:`run_job` on a machine that nobody divides.

    Args:
        folder: the batch's.
        job: the clips.
        cores: for this job's networks.
        visible: the GPUs that may be seen, as CUDA wants it; None for all. submitit shows none.

    Raises:
        Stop: the job, or its command, was told to stop.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(cores))
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if visible is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    run_job(folder, job)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stop(128 + number)


def _run(batch: BatchFolder, key: str, work: Work, stage: str) -> Outcome:
    """Run the command that makes a stage of a clip; its output is the stage's log."""
    words = [sys.executable, "-m", "vostool", *batch.task.command(stage, work.clip, work.source)]
    log = batch.log(stage, work.clip)
    log.parent.mkdir(parents=True, exist_ok=True)
    begun = time.time()
    with log.open("w") as stream:
        print("$", *words, file=stream, flush=True)
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
        try:
            status = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if status in STOPPED:
        raise Stop(abs(status) % 128 + 128)
    ended = time.time()
    error = None if status == 0 else _told(status, log)
    host = socket.gethostname()
    return Outcome(work.clip, stage, key, round(ended - begun, 3), ended, host, error)


def _told(status: int, log: Path) -> str:
    """The line with which a command told of its error, or what it died of."""
    if status < 0:
        name = signal.Signals(-status).name
        told = ", perhaps for want of memory" if status == -signal.SIGKILL else ""
        return f"the command was ended by {name}{told}; see {log}"
    lines = log.read_text(errors="replace").splitlines()
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return errors[-1] if errors else f"{lines[-1]} (status {status}); see {log}"
