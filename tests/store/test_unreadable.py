"""What the system does not let be read may be whole: it is not called damaged, nor missing, and
nobody is told to remove it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from zarr.storage import LocalStore

from vostool.cli.mends import one_line
from vostool.errors import BrokenStageError, UnreadableStageError
from vostool.store import FeatureStore
from vostool.store.layout import clip_folder
from vostool.store.manifest import NAME as MANIFEST

NETWORK = "efficientnet-lite0"


def refused(file: Path) -> PermissionError:
    """What the system says; root may read all, so it is put into its mouth."""
    return PermissionError(errno.EACCES, "Permission denied", str(file))


@pytest.fixture
def closed(square_store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The manifest of the square's features, which may not be read."""
    manifest = clip_folder(Path(square_store.root), "square") / NETWORK / "backbone" / MANIFEST
    read = Path.read_bytes

    def refuse(file: Path) -> bytes:
        if file == manifest:
            raise refused(file)
        return read(file)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    return manifest


def test_a_stage_that_may_not_be_opened(square_store: FeatureStore, closed: Path) -> None:
    with pytest.raises(UnreadableStageError) as caught:
        square_store.clip("square").stage(NETWORK, "backbone")
    line = one_line(caught.value)
    assert f"{closed}: cannot be read (Permission denied)" in line and "store rm" not in line


def test_it_is_not_missing(square_store: FeatureStore, closed: Path) -> None:
    with pytest.raises(UnreadableStageError):
        square_store.clip("square").find(NETWORK, "backbone")


def test_a_folder_that_may_not_be_entered(
    square_store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: Path, **_: bool) -> bool:
        raise refused(file)

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(UnreadableStageError, match="Permission denied"):
        square_store.clip("square").stage(NETWORK, "backbone")


def test_a_chunk_that_may_not_be_read(
    square_store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = square_store.clip("square").stage(NETWORK, "backbone")

    async def refuse(store: LocalStore, key: str, *_: object) -> None:
        raise refused(store.root / key)

    monkeypatch.setattr(LocalStore, "get", refuse)
    with pytest.raises(UnreadableStageError, match=r"c\.0.*Permission denied") as caught:
        stage.read(0, 8)
    assert "store rm" not in one_line(caught.value)


def test_damage_is_still_damage(square_store: FeatureStore) -> None:
    clip = square_store.clip("square")
    (clip_folder(Path(square_store.root), "square") / NETWORK / "backbone" / MANIFEST).write_text(
        "{}"
    )
    with pytest.raises(BrokenStageError):
        clip.stage(NETWORK, "backbone")
    assert clip.find(NETWORK, "backbone") is None
