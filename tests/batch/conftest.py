"""Clips of a batch, and a Slurm to run them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.batch.slurm import Slurm, why_not
from tests.conftest import Once
from vostool.clips import open_clip

SHOT = 187
"""Where in the sample clip a person walks past a bollard, for 55 frames."""
CLIPS, FRAMES = 12, 4


def fill_clips(bikes: Path, folder: Path) -> None:
    """Cut short clips out of the sample clip, a quarter of its size, as folders of PNGs."""
    from PIL import Image

    frames = open_clip(bikes, frames=(SHOT, SHOT + CLIPS * FRAMES)).frames()
    for number, frame in enumerate(frames):
        place = folder / f"walk{number // FRAMES:02d}"
        place.mkdir(exist_ok=True)
        image = Image.fromarray(frame)
        half = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
        half.save(place / f"{number % FRAMES:05d}.png")


@pytest.fixture
def walks(once: Once, bikes: Path) -> list[Path]:
    """Twelve short clips of a real one, one after the other."""
    folder = once("walks", lambda making: fill_clips(bikes, making))
    return sorted(folder.glob("walk*"))


@pytest.fixture(scope="session")
def running_slurm() -> Iterator[Slurm]:
    """A Slurm of this machine alone."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    slurm = Slurm(folder)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()
        shutil.rmtree(folder)


@pytest.fixture
def slurm(running_slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    """A Slurm that commands find."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, running_slurm.environment[name])
    return running_slurm
