"""Passes the tests, from nothing but Python 3.11 and git.

    python3 tests/run.py [what pytest takes]

Sets up ``.venv`` if need be. Tests that need the footage in ``../shared`` are left to CI, which
runs them with ``-m shared``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import environment

if __name__ == "__main__":
    environment.enter()
    chosen = sys.argv[1:] or ["-m", "not shared"]
    sys.exit(subprocess.call([sys.executable, "-m", "pytest", *chosen], cwd=environment.REPOSITORY))
