"""A Slurm of one node, of Debian's packages, run as root and without systemd, in a folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
SECONDS = 30.0
"""How long a daemon may take to answer."""
PARTITION = "short"
LARGEST_ARRAY = 4
"""Tasks an array: so few, that the tests' batches are of several arrays."""


def why_not() -> str | None:
    """Why no Slurm can be started here, in a line; None where one can."""
    missing = [name for name in DAEMONS if not shutil.which(name, path=_path())]
    if missing:
        return f"no {missing[0]}: apt-get install slurmctld slurmd slurm-client munge"
    return None if os.geteuid() == 0 else "Slurm's daemons are started as root"


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


class Slurm:
    """munged, slurmctld and slurmd; what is started here is stopped by its process id.

    Args:
        folder: for keys, sockets, state and logs. Its path is short, as sockets' have to be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        """By which its clients find it."""
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": _path()}

    def start(self) -> None:
        """Start the daemons, and return when the node takes jobs."""
        self._write_configuration()
        munge = self.folder / "munge"
        self._start(
            "munged",
            *("--foreground", "--force", f"--key-file={munge / 'key'}"),
            *(f"--socket={munge / 'socket'}", f"--pid-file={munge / 'pid'}"),
            *(f"--log-file={munge / 'log'}", f"--seed-file={munge / 'seed'}"),
            user="munge",
        )
        self._until("munged", (munge / "socket").exists)
        self._start("slurmctld", "-D", "-c")
        self._start("slurmd", "-D")
        self._until("the node", lambda: self.ask("sinfo", "-h", "-o", "%T").strip() == "idle")

    def stop(self) -> None:
        """Stop what was started, the last one first."""
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ask(self, *words: str) -> str:
        """What one of its clients prints; nothing where it fails."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True)
        return done.stdout

    def _start(self, *words: str, user: str | None = None) -> None:
        log = (self.folder / f"{words[0]}.out").open("wb")
        with log:
            self._processes.append(
                subprocess.Popen(
                    words, stdout=log, stderr=log, env=self.environment, user=user, group=user,
                    extra_groups=None if user is None else [],
                )
            )  # fmt: skip

    def _until(self, what: str, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + SECONDS
        while not ready():
            if time.monotonic() > end or any(one.poll() is not None for one in self._processes):
                logs = "\n".join(log.read_text() for log in self.folder.glob("*.out"))
                raise RuntimeError(f"{what} does not answer:\n{logs}")
            time.sleep(0.1)

    def _write_configuration(self) -> None:
        munge = self.folder / "munge"
        for name in ("state", "spool", "no-cgroups"):
            (self.folder / name).mkdir()
        munge.mkdir(mode=0o755)
        self.folder.chmod(0o755)
        (munge / "key").write_bytes(os.urandom(1024))
        (munge / "key").chmod(0o400)
        for place in (munge, munge / "key"):
            shutil.chown(place, "munge", "munge")
        host = socket.gethostname().partition(".")[0]
        megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
        control, node = _free_ports(2)
        self._write(
            "slurm.conf",
            {
                "ClusterName": "test", "SlurmctldHost": f"{host}(127.0.0.1)",
                "AuthType": "auth/munge", "AuthInfo": f"socket={munge / 'socket'}",
                "CredType": "cred/munge",
                "SlurmUser": "root", "SlurmdUser": "root",
                "SlurmctldPort": control, "SlurmdPort": node,
                "StateSaveLocation": self.folder / "state",
                "SlurmdSpoolDir": self.folder / "spool",
                "SlurmctldPidFile": self.folder / "slurmctld.pid",
                "SlurmdPidFile": self.folder / "slurmd.pid",
                "ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none",
                "JobAcctGatherType": "jobacct_gather/none",
                "AccountingStorageType": "accounting_storage/none",
                "SelectType": "select/cons_tres", "SelectTypeParameters": "CR_Core",
                "MpiDefault": "none", "ReturnToService": 2, "KillWait": 3,
                "SchedulerParameters": "sched_interval=1,batch_sched_delay=0",
                "MaxArraySize": LARGEST_ARRAY,
            },
            f"NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory={megabytes // 2}",
            f"PartitionName={PARTITION} Nodes={host} Default=YES State=UP",
        )  # fmt: skip
        self._write(
            "cgroup.conf",
            {
                "CgroupPlugin": "cgroup/v1", "CgroupMountpoint": self.folder / "no-cgroups",
                "CgroupAutomount": "no", "ConstrainCores": "no", "ConstrainDevices": "no",
                "ConstrainRAMSpace": "no", "ConstrainSwapSpace": "no",
            },
        )  # fmt: skip

    def _write(self, name: str, settings: Mapping[str, object], *lines: str) -> None:
        rows = [*(f"{key}={value}" for key, value in settings.items()), *lines]
        (self.folder / name).write_text("\n".join(rows) + "\n")


def _free_ports(count: int) -> Sequence[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
