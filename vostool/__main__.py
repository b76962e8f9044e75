"""The program: ``vostool``, and ``python -m vostool``.

It answers to signals before it loads what the commands need.
"""

from __future__ import annotations

import os

from vostool.stops import run_stoppable


def run() -> None:
    """The entry point of the ``vostool`` command.

    After SIGINT or SIGTERM the process ends here, with 128 and the signal's number, when what was
    half-written is removed.

    Raises:
        SystemExit: else, always, with the exit status.
    """

    if "OMP_WAIT_POLICY" not in os.environ:
        # Threads that wait for others spin, and take the core from whoever has the work as soon as
        # anything else runs on the machine. So briefly they cost little, alone or in company.
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")

    def work() -> None:
        from vostool.cli import run as run_command

        run_command()

    run_stoppable(work)


if __name__ == "__main__":
    run()
