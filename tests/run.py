"""Passes the tests, from nothing but Python 3.11 and git.

    python3 tests/run.py [what pytest takes]

Sets up ``.venv`` if need be, and takes a core for each of some tests at a time. Tests that need the
footage in ``../shared`` are left to CI, which runs them with ``-m shared``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import environment

MOST = 8
"""Tests at a time, whatever the machine: each process takes half a GB and starts in seconds."""

if __name__ == "__main__":
    environment.enter()
    at_once = min(MOST, os.cpu_count() or 1)
    chosen = sys.argv[1:] or [
        *("-m", "not shared", "--ignore", "tests/faults"),
        *("-n", str(at_once), "--dist", "worksteal"),
    ]
    sys.exit(subprocess.call([sys.executable, "-m", "pytest", *chosen], cwd=environment.REPOSITORY))
