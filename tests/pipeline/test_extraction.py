"""Features of a clip are made once: again where something changed, and then it is told what."""

from __future__ import annotations

from pathlib import Path

import pytest

from vostool import backbones
from vostool.backbones import DEFAULT
from vostool.clips import open_clip
from vostool.pipeline.extraction import extract
from vostool.store import FeatureStore, StoredClip


@pytest.fixture
def square(square_store: FeatureStore) -> StoredClip:
    return square_store.clip("square")


def test_a_second_extract_runs_no_network(
    square: StoredClip, square_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbones, "load_backbone", lambda *_: pytest.fail("ran the network"))
    stage = square.stage(DEFAULT, "backbone")
    assert extract(open_clip(square_clip), square).cache_key == stage.cache_key


def test_another_option_makes_it_again_and_says_why(square: StoredClip, square_clip: Path) -> None:
    told: list[str] = []
    again = extract(open_clip(square_clip), square, network_height=64, say=told.append)
    assert told == ["square: making backbone features again: network height 480 is now 64"]
    assert again.pyramid.network_size == (64, 85)
    assert again.pyramid.clip_size == (96, 128)


def test_small_frames_are_enlarged_and_masks_keep_their_size(square: StoredClip) -> None:
    """Objects of 240 rows and less are finer than the grids that 480 rows were trained on."""
    stage = square.stage(DEFAULT, "backbone")
    assert stage.pyramid.clip_size == (96, 128)
    assert stage.pyramid.network_size == (192, 256)  # twice as large, and no larger


def test_a_long_clip_is_told_how_long_it_takes(
    tmp_path: Path, square_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vostool.pipeline.extraction.LONG", 12)
    told: list[str] = []
    stored = FeatureStore(tmp_path / "store").clip("square")
    extract(open_clip(square_clip), stored, say=told.append)
    assert len(told) == 1 and "frames/s, so some 1 min for 12 frames" in told[0]


def test_a_clip_that_was_moved_keeps_its_features(
    square: StoredClip, square_clip: Path, tmp_path: Path
) -> None:
    before = square.stage(DEFAULT, "backbone")
    (tmp_path / "elsewhere").mkdir()
    moved = square_clip.rename(tmp_path / "elsewhere" / "square")
    again = extract(open_clip(moved), square)
    assert again.cache_key == before.cache_key
    assert square.stage(DEFAULT, "backbone").metadata.source == str(moved.resolve())
