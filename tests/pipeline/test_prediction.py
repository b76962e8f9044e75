"""The main job on a clip whose truth is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import square_mask
from vostool.opening import OpenClip
from vostool.presets import PRESETS
from vostool.store import FeatureStore


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_square_is_found_in_every_frame(
    square_store: FeatureStore, square_scribbles: Path, preset: str
) -> None:
    session = OpenClip(square_store.clip("square")).session(preset)
    session.add_scribbles(square_scribbles)
    masks = list(session.masks())
    assert [t for t, _ in masks] == list(range(12))
    for t, mask in masks:
        truth = square_mask(t)
        assert ((mask == 1) & truth).sum() / ((mask == 1) | truth).sum() > 0.6, t
