"""Protects the user from features that are no longer those that were written.

A disk flips a byte, a sync tool loses a file or half of it: the store says which, with the command
that mends it, and nothing uses what is left.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Vostool
from tests.store.test_store import NETWORK, chunk_file, same, some, stored
from vostool.backbones import DEFAULT
from vostool.cli.mends import one_line
from vostool.errors import BrokenStageError
from vostool.store import FeatureStore

MEND = f"vostool store rm clip --backbone {NETWORK} --stage backbone"


@pytest.mark.parametrize("length", [0, 3, 100])
def test_a_chunk_cut_short_is_damaged(tmp_path: Path, length: int) -> None:
    stage = stored(tmp_path, some(20))
    os.truncate(chunk_file(Path(stage.place) / "s8", 0), length)
    with pytest.raises(BrokenStageError, match=r"s8/c\.0\.0\.0\.0: \d+ bytes of \d+") as caught:
        FeatureStore(tmp_path).clip("clip").stage(NETWORK, "backbone").read_frame(0)
    assert MEND in one_line(caught.value)


@pytest.mark.parametrize("garbage", ["", "{}", "no json", '{"zarr_format": 3}', "[]", "null"])
@pytest.mark.parametrize("where", [".", "s8"])
def test_broken_metadata_is_no_whole_stage(tmp_path: Path, garbage: str, where: str) -> None:
    (Path(stored(tmp_path, some(9)).place) / where / "zarr.json").write_text(garbage)
    with pytest.raises(BrokenStageError, match="not a whole stage") as caught:
        FeatureStore(tmp_path).clip("clip").stage(NETWORK, "backbone")
    assert MEND in one_line(caught.value)


@pytest.mark.parametrize("gone", ["stamp", "frames", "clip", "levels", "strides", "network_size"])
@pytest.mark.parametrize("instead", [None, {}, 5])
def test_a_broken_attribute_is_no_whole_stage(tmp_path: Path, gone: str, instead: object) -> None:
    if (gone, instead) == ("frames", 5):
        return  # a number of frames as good as any
    file = Path(stored(tmp_path, some(9)).place) / "zarr.json"
    document = json.loads(file.read_text())
    document["attributes"][gone] = instead
    file.write_text(json.dumps(document))
    with pytest.raises(BrokenStageError, match="not a whole stage"):
        FeatureStore(tmp_path).clip("clip").stage(NETWORK, "backbone")


def test_verify_tells_a_missing_chunk(vostool: Vostool, tmp_path: Path) -> None:
    stage = stored(tmp_path / "store", some(20))
    file = chunk_file(Path(stage.place) / "s8", 2)
    file.unlink()
    done = vostool("store", "verify", "--json", "clip")
    assert done.status == 1 and str(file) in done.err
    assert json.loads(done.out)["state"] == "damaged"


def test_verify_of_a_clip_that_is_not_there_is_an_error(vostool: Vostool, tmp_path: Path) -> None:
    stored(tmp_path / "store", some(9))
    done = vostool("store", "verify", "nosuch")
    assert done.status == 1 and done.errors and "nosuch" in done.errors[0]


def test_extract_mends_a_stage_that_is_not_whole(
    vostool: Vostool, square_clip: Path, square_store: FeatureStore
) -> None:
    stage = square_store.clip("square").stage(DEFAULT, "backbone")
    features = stage.read(0, stage.frames)
    chunk_file(Path(stage.place) / "s16", 0).unlink()
    assert vostool("extract", square_clip).status == 0
    mended = square_store.clip("square").stage(DEFAULT, "backbone")
    assert same(mended.read(0, mended.frames), features)
