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

    # Threads that wait for others sleep: spinning, they take the core from whoever has the work as
    # soon as anything else runs on the machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    def work() -> None:
        from vostool.cli import run as run_command

        run_command()

    run_stoppable(work)


if __name__ == "__main__":
    run()
