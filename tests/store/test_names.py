"""Protects everything outside the store: no clip's name may lead out of it, or hide in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vostool.errors import ClipNameError, StoreError
from vostool.store import CacheKey, FeatureStore, StoredClip
from vostool.store.layout import check_name, clip_folder, lock_file, partial_folder

BAD = ["../x", "..", "a/../../x", "/etc/x", "a\\b", "", " a", ".hidden", "-x", "a\0b", "x" * 201]
GOOD = ["bikes", "Clip 01", "a.b", "a..b", "x_y-z", "a+b=c,d@e", "ünïcode", "片", "0", "x" * 200]


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("place", [clip_folder, partial_folder, lock_file])
def test_no_place_is_given_to_a_name_that_cannot_be(
    place: Callable[[Path, str], Path], name: str
) -> None:
    with pytest.raises(StoreError, match="cannot name a clip") as caught:
        place(Path("store"), name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", GOOD)
def test_usual_names_pass(name: str) -> None:
    assert check_name(name) == name


@given(st.text() | st.text("./\\~a-\n\0", max_size=8))
@example("..")
@example("a/..")
def test_no_name_that_passes_leaves_its_place(name: str) -> None:
    store = Path("/store")
    try:
        places = [clip_folder(store, name), partial_folder(store, name), lock_file(store, name)]
    except StoreError:
        return
    homes = [store, store / ".partial", store / ".locks"]
    for place, home in zip(places, homes, strict=True):
        assert place.parent == home
        assert place.name not in ("", ".", "..")
    assert not places[0].name.startswith(".")


@pytest.mark.parametrize("name", ["../x", "", ".partial", "/"])
def test_the_store_refuses_them_whatever_is_asked(tmp_path: Path, name: str) -> None:
    store = FeatureStore(tmp_path / "store")
    (tmp_path / "x.zarr").mkdir()
    clip = StoredClip(store, name)  # as nobody should make one
    asks: tuple[Callable[[], object], ...] = (
        lambda: store.clip(name),
        lambda: clip.stage("net", "backbone"),
        lambda: clip.features("net", "both"),
        lambda: clip.writer("net", "backbone", CacheKey({})),
        lambda: clip.remove(),
        lambda: clip.networks(),
        lambda: clip.unfinished("net"),
        lambda: clip.lock().__enter__(),
    )
    for ask in asks:
        with pytest.raises(ClipNameError, match="cannot name a clip"):
            ask()
    assert clip.find("net", "backbone") is None
    assert (tmp_path / "x.zarr").is_dir()
    assert not (tmp_path / "store").exists()


def test_what_is_no_clip_does_not_hide_the_clips(tmp_path: Path) -> None:
    for entry in ("clip.zarr", "not (a) clip.zarr", ".hidden.zarr", ".partial/.junk"):
        (tmp_path / entry).mkdir(parents=True)
    (tmp_path / "notes.txt").touch()
    assert FeatureStore(tmp_path).names() == ["clip"]
