"""What is read is what was written: flipped bits, swapped or missing chunks are named."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vostool.errors import BrokenStageError, StoreError
from vostool.pyramid import Level, Pyramid
from vostool.store import CacheKey, ClipMetadata, FeatureStore, Stage
from vostool.store.manifest import Entry, Manifest, MismatchError

FRAMES = 20
PYRAMID = Pyramid((8, 8), (8, 8), (Level("s4", 4, (2, 2, 3)), Level("s8", 8, (1, 1, 5))))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A stage of three chunks, all of other numbers."""
    clip = FeatureStore(tmp_path).clip("clip")
    writer = clip.writer("net", "backbone", CacheKey({"clip": "f"}))
    writer.begin(PYRAMID, ClipMetadata("here", 0, None, (8, 8), 24.0, "f"))
    rng = np.random.default_rng(0)
    for start in range(0, FRAMES, 8):
        count = min(8, FRAMES - start)
        writer.append(
            [rng.normal(size=(count, *level.shape)).astype(np.float16) for level in PYRAMID.levels]
        )
    return writer.finish()


def flipped(file: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = bytearray((folder / file).read_bytes())
        content[len(content) // 2] ^= 4
        (folder / file).write_bytes(content)

    return damage


def renamed_key(folder: Path) -> None:
    """The one that made zarr read zeros."""
    file = folder / "s4" / "zarr.json"
    file.write_text(file.read_text().replace("configuration", "conniguration"))


def swapped(folder: Path) -> None:
    one, other = folder / "s4" / "c.0.0.0.0", folder / "s4" / "c.1.0.0.0"
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def folder_for_chunk(folder: Path) -> None:
    (folder / "s4" / "c.0.0.0.0").unlink()
    (folder / "s4" / "c.0.0.0.0").mkdir()


DAMAGE: dict[str, Callable[[Path], None]] = {
    "a bit of a chunk": flipped("s4/c.1.0.0.0"),
    "a bit of an array's metadata": flipped("s8/zarr.json"),
    "a bit of the group's metadata": flipped("zarr.json"),
    "a bit of the manifest": flipped("manifest.json"),
    "a key of the metadata": renamed_key,
    "two chunks swapped": swapped,
    "a folder for a chunk": folder_for_chunk,
    "a chunk gone": lambda folder: (folder / "s8" / "c.2.0.0.0").unlink(),
    "a chunk cut short": lambda folder: os.truncate(folder / "s8" / "c.2.0.0.0", 1),
    "metadata gone": lambda folder: (folder / "s8" / "zarr.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named_and_never_read(stage: Stage, damage: Callable[[Path], None]) -> None:
    damage(Path(stage.place))
    with pytest.raises(BrokenStageError) as problem:
        again = Stage(stage.files, "clip")
        again.read(0, FRAMES)
    assert stage.place in str(problem.value)


def test_damage_after_opening_is_named_too(stage: Stage) -> None:
    again = Stage(stage.files, "clip")
    swapped(Path(stage.place))
    with pytest.raises(BrokenStageError, match=r"c\.0\.0\.0\.0: damaged"):
        again.read(0, 8)
    assert {Path(file).name for file, _ in again.broken_files()} == {"c.0.0.0.0", "c.1.0.0.0"}


def test_a_stage_that_is_removed_while_it_is_read_is_no_zeros(stage: Stage) -> None:
    again = Stage(stage.files, "clip")
    shutil.rmtree(Path(stage.place))
    with pytest.raises(BrokenStageError, match="missing"):
        again.read(0, 8)
    with pytest.raises(StoreError, match="was changed while it was read"):
        again.check_unchanged()


def test_a_manifest_comes_back(tmp_path: Path) -> None:
    manifest = Manifest({"a/b": Entry.of(b"content"), "c": Entry.of(b"")})
    assert Manifest.from_json(manifest.as_json()) == manifest
    (tmp_path / "c").write_bytes(b"")
    with pytest.raises(MismatchError, match="a/b: missing"):
        manifest.check_presence(tmp_path)
