"""An adapter is decided by the features and the strokes alone, in however many calls they come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vostool.backbones import DEFAULT
from vostool.errors import AdapterError, ScribbleError
from vostool.opening import OpenClip
from vostool.pipeline.adaptation import fit_round
from vostool.presets import PRESETS
from vostool.scribbles import Scribbles, read_scribbles
from vostool.store import FeatureReader, FeatureStore

PRESET = PRESETS["default"]


@pytest.fixture
def reader(square_store: FeatureStore) -> FeatureReader:
    return square_store.clip("square").features(DEFAULT, "both")


@pytest.fixture
def one_round(square_scribbles: Path) -> Scribbles:
    return read_scribbles(square_scribbles)


def test_the_same_input_gives_the_same_adapter(reader: FeatureReader, one_round: Scribbles) -> None:
    first, second = (fit_round(reader, one_round, preset=PRESET) for _ in "12")
    np.testing.assert_array_equal(first.W, second.W)


def test_going_on_equals_fitting_all_rounds(
    square_store: FeatureStore, one_round: Scribbles, tmp_path: Path
) -> None:
    clip = OpenClip(square_store.clip("square"))
    at_once = clip.session()
    at_once.add_scribbles(one_round)
    at_once.adapter.write(tmp_path / "first.h5")
    at_once.add_scribbles(one_round)
    later = clip.session(adapter=tmp_path / "first.h5")
    later.add_scribbles(one_round)
    np.testing.assert_allclose(at_once.adapter.W, later.adapter.W, atol=1e-12)
    (ours,), (theirs,) = at_once.adapter.clips, later.adapter.clips
    np.testing.assert_array_equal(ours.samples.xy, theirs.samples.xy)
    assert set(theirs.samples.round) == {1, 2} and len(theirs.scribbles) == later.rounds == 2


def test_scribbles_of_a_longer_clip_are_refused(reader: FeatureReader) -> None:
    scribbles = Scribbles("long.json", {}, {40: np.zeros((96, 128), np.int16)})
    with pytest.raises(ScribbleError, match="41 frames, the clip has 12"):
        fit_round(reader, scribbles, preset=PRESET)


def test_previous_masks_of_another_size_are_refused(
    reader: FeatureReader, one_round: Scribbles
) -> None:
    first = fit_round(reader, one_round, preset=PRESET)
    masks = {2: np.zeros((48, 64), np.uint8)}
    with pytest.raises(AdapterError, match="frame 2 is 64x48, the clip is 128x96"):
        fit_round(reader, one_round, preset=PRESET, resume_from=first, previous_masks=masks)


def test_the_paper_reads_the_context_alone(
    square_store: FeatureStore, one_round: Scribbles
) -> None:
    context = square_store.clip("square").features(DEFAULT, "context")
    adapter = fit_round(context, one_round, preset=PRESETS["paper"])
    assert adapter.provenance.features == "context" and adapter.W.shape == (128, 2)


def test_an_adapter_that_does_not_know_its_backbone_goes_on(
    square_store: FeatureStore, one_round: Scribbles
) -> None:
    """As those of context alone did in the format before: on its own clip nothing is missing."""
    clip = OpenClip(square_store.clip("square"))
    session = clip.session("paper")
    session.add_scribbles(one_round)
    made_from = clip.stored.features(DEFAULT, "context").cache_key.made_from
    origin = replace(session.adapter.provenance, networks=dict(made_from))
    later = clip.session(adapter=replace(session.adapter, provenance=origin))
    for one in (session, later):
        one.add_scribbles(one_round)
    np.testing.assert_array_equal(session.adapter.W, later.adapter.W)
