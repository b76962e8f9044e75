"""Protects refinement from what lies in its folder: a damaged record is made again."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.mask_propagation.cache import FolderCache, Record

WHOLE = Record(
    "b",
    "s",
    np.ones((3, 4, 5), np.uint8),
    np.ones((3, 8, 10), np.uint8),
    np.zeros((2, 4, 5), np.float16),
)


def kept(folder: Path, record: Record = WHOLE) -> FolderCache:
    cache = FolderCache(folder, "of")
    cache.put("span", record)
    return cache


def test_a_whole_record_is_found(tmp_path: Path) -> None:
    found = kept(tmp_path / "c").find("span")
    assert (
        found is not None
        and (found.began, found.source) == ("b", "s")
        and (found.masks == WHOLE.masks).all()
    )


@pytest.mark.parametrize(
    "damaged",
    [
        replace(WHOLE, classifier=WHOLE.classifier.astype(np.int64)),
        replace(WHOLE, classifier=WHOLE.classifier[0]),
        replace(WHOLE, masks=WHOLE.masks[:2]),
        replace(WHOLE, masks=WHOLE.masks.astype(np.float32)),
        replace(WHOLE, masks=WHOLE.masks[:0], classifier=WHOLE.classifier[:0]),
        replace(WHOLE, last=WHOLE.last.astype(np.float32)),
        replace(WHOLE, last=WHOLE.last[:, :2]),
    ],
)
def test_a_record_of_other_arrays_is_none(tmp_path: Path, damaged: Record) -> None:
    assert kept(tmp_path / "c", damaged).find("span") is None


def test_a_record_in_anothers_place_is_none(tmp_path: Path) -> None:
    cache = kept(tmp_path / "c")
    (tmp_path / "c" / "span.npz").rename(tmp_path / "c" / "other.npz")
    assert cache.find("other") is None


def test_an_entry_that_is_no_array_is_none(tmp_path: Path) -> None:
    """numpy gives its bytes, and no error."""
    cache = kept(tmp_path / "c")
    whole = tmp_path / "c" / "span.npz"
    with zipfile.ZipFile(whole) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(whole, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, b"no array" if name == "last.npy" else content)
    assert cache.find("span") is None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_file_that_is_cut_or_overwritten_is_no_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    cache = kept(folder)
    content = bytearray((folder / "span.npz").read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[at:]
    else:
        content[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
    (folder / "span.npz").write_bytes(content)
    found = cache.find("span")
    assert found is None or found.masks.shape == WHOLE.masks.shape
