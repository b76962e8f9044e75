"""Whether what is published works alone: wheel and sdist are built, and the wheel segments a clip.

    python tools/check_wheel.py

The wheel is installed into a bare environment, with the pinned PyTorch before it so that pip does
not fetch a CUDA build; the sample clip is segmented there, away from this repository.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import environment

sys.path.insert(0, str(environment.REPOSITORY / "examples"))

import quickstart

NEEDED = (
    "py.typed",
    "weights/decoder.safetensors",
    "weights/rnn.md",
    "session.py",
    "page/static/index.html",
    "page/static/app.js",
    "page/static/style.css",
)
"""Files of the package that are no modules, or that everything stands on."""


def build(out: Path) -> tuple[Path, Path]:
    """Build sdist and wheel, and look into both.

    Raises:
        AssertionError: a file is missing.
    """
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(out), str(environment.REPOSITORY)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    with ZipFile(wheel) as opened:
        in_wheel = opened.namelist()
    with tarfile.open(sdist) as packed:
        in_sdist = packed.getnames()
    for name in NEEDED:
        assert f"vostool/{name}" in in_wheel, f"{wheel.name} lacks {name}"
        assert any(found.endswith(f"/vostool/{name}") for found in in_sdist), (
            f"{sdist.name} lacks {name}"
        )
    assert not any(name.startswith(("tests", "tools")) for name in in_wheel)
    return wheel, sdist


def segment(wheel: Path, folder: Path) -> int:
    """Install a wheel into a bare environment and segment the sample clip; how many masks."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run(*words: str | Path) -> None:
        subprocess.run([python, *words], check=True, cwd=folder, env=clean)

    pins = environment.PINS.read_text().splitlines()
    torch = next(line for line in pins if line.startswith("torch=="))
    run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", torch, wheel)
    run(
        *("-m", "vostool", "segment", quickstart.sample_clip(), "--frames", quickstart.SHOT),
        *("--scribbles", quickstart.HERE / "bikes.json", "--out", "masks", "--overlay", "look.mp4"),
    )
    assert (folder / "look.mp4").stat().st_size > 10_000
    return len(list((folder / "masks").glob("*.png")))


def main() -> None:
    """Build, install, segment."""
    with TemporaryDirectory() as folder:
        wheel, sdist = build(Path(folder) / "dist")
        masks = segment(wheel, Path(folder))
        assert masks == 55, f"{masks} masks"
        print(f"{wheel.name} and {sdist.name}: the wheel alone made {masks} masks")


if __name__ == "__main__":
    environment.enter()
    main()
