"""The Python API: the main job on a clip whose truth is known, and what is not done twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from tests.conftest import moving_square, square_mask
from vostool import backbones, pipeline
from vostool.clips import open_clip
from vostool.errors import AdapterError, ScribbleError, StoreError
from vostool.presets import PRESETS
from vostool.scribbles import Scribbles, read_scribbles
from vostool.store import FeatureStore, Stage

DEFAULT = PRESETS["default"]


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "store")


@pytest.fixture
def stage(store: FeatureStore, square_clip: Path) -> Stage:
    """The square's backbone features; its context is made too."""
    extracted = pipeline.extract(open_clip(square_clip), store)
    pipeline.propagate("square", store)
    return extracted


@pytest.fixture
def one_round(square_scribbles: Path) -> Scribbles:
    return read_scribbles(square_scribbles)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_square_is_found_in_every_frame(
    store: FeatureStore, stage: Stage, one_round: Scribbles, preset: str
) -> None:
    adapter = pipeline.adapt("square", store, [one_round], preset=PRESETS[preset])
    features = store.features("square", PRESETS[preset].features)
    for t, mask in pipeline.predict(adapter, features):
        truth = square_mask(t)
        assert ((mask == 1) & truth).sum() / ((mask == 1) | truth).sum() > 0.6, t


def test_a_second_extract_runs_no_network(
    store: FeatureStore, stage: Stage, square_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbones, "load_backbone", lambda *_: pytest.fail("ran the network"))
    assert pipeline.extract(open_clip(square_clip), store).cache_key == stage.cache_key


def test_another_option_makes_it_again_and_says_why(
    store: FeatureStore, stage: Stage, square_clip: Path
) -> None:
    told: list[str] = []
    again = pipeline.extract(open_clip(square_clip), store, network_height=64, say=told.append)
    assert told == ["square: making backbone features again: network height 480 is now 64"]
    assert again.pyramid.network_size == (64, 85)
    assert again.pyramid.clip_size == (96, 128)


def test_a_long_clip_is_told_how_long_it_takes(
    store: FeatureStore, square_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vostool.pipeline.extraction.LONG", 12)
    told: list[str] = []
    pipeline.extract(open_clip(square_clip), store, say=told.append)
    assert len(told) == 1 and "frames/s by the network, so some 1 min for 12 frames" in told[0]


def test_features_whose_making_was_not_timed_are_made_again(
    store: FeatureStore, stage: Stage, square_clip: Path
) -> None:
    group = zarr.open_group(stage.folder, mode="r+")
    stamp: Any = dict(group.attrs)["stamp"]
    assert stamp["made_by"].pop("seconds") > 0
    group.attrs["stamp"] = stamp
    assert store.stage("square", "backbone").seconds is None
    told: list[str] = []
    assert pipeline.extract(open_clip(square_clip), store, say=told.append).seconds
    assert "did not note what they took" in told[0]


def test_a_clip_that_was_moved_keeps_its_features(
    store: FeatureStore, stage: Stage, square_clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    moved = square_clip.rename(tmp_path / "elsewhere" / "square")
    again = pipeline.extract(open_clip(moved), store)
    assert again.cache_key == stage.cache_key
    assert store.stage("square", "backbone").metadata.source == str(moved.resolve())


def test_the_same_input_gives_the_same_adapter(
    store: FeatureStore, stage: Stage, one_round: Scribbles
) -> None:
    first, second = (pipeline.adapt("square", store, [one_round], preset=DEFAULT) for _ in "12")
    np.testing.assert_array_equal(first.W, second.W)


def test_going_on_equals_fitting_all_rounds(
    store: FeatureStore, stage: Stage, one_round: Scribbles
) -> None:
    at_once = pipeline.adapt("square", store, [one_round, one_round], preset=DEFAULT)
    first = pipeline.adapt("square", store, [one_round], preset=DEFAULT)
    second = pipeline.adapt("square", store, [one_round], preset=DEFAULT, earlier=first)
    np.testing.assert_allclose(at_once.W, second.W, atol=1e-12)
    np.testing.assert_array_equal(at_once.samples.xy, second.samples.xy)
    assert set(second.samples.round) == {1, 2}


def test_an_adapter_of_another_size_is_refused(
    store: FeatureStore, stage: Stage, one_round: Scribbles, tmp_path: Path
) -> None:
    adapter = pipeline.adapt("square", store, [one_round], preset=DEFAULT)
    clip = open_clip(moving_square(tmp_path / "large", 3, (128, 192)))
    pipeline.extract(clip, store)
    pipeline.propagate("large", store)
    with pytest.raises(AdapterError, match="128x96"):
        list(pipeline.predict(adapter, store.features("large", "both")))


def test_an_adapter_of_other_features_is_refused(
    store: FeatureStore, stage: Stage, one_round: Scribbles
) -> None:
    adapter = pipeline.adapt("square", store, [one_round], preset=DEFAULT)
    provenance = replace(
        adapter.provenance,
        stage_key="other",
        made_from={**adapter.provenance.made_from, "backbone": "resnet"},
    )
    with pytest.raises(AdapterError, match="backbone resnet is now efficientnet-lite0"):
        features = store.features("square", "both")
        list(pipeline.predict(replace(adapter, provenance=provenance), features))


def test_context_of_other_backbone_features_is_refused(
    store: FeatureStore, stage: Stage, square_clip: Path, one_round: Scribbles
) -> None:
    pipeline.extract(open_clip(square_clip), store, network_height=64)
    with pytest.raises(StoreError, match="other backbone features; make it again"):
        pipeline.adapt("square", store, [one_round], preset=DEFAULT)
    pipeline.propagate("square", store)
    assert pipeline.adapt("square", store, [one_round], preset=DEFAULT).W.shape == (896, 2)


def test_both_are_the_backbones_features_and_then_the_contexts(
    store: FeatureStore, stage: Stage
) -> None:
    both, context = store.features("square", "both"), store.stage("square", "context")
    assert both.pyramid.channels == stage.pyramid.channels + context.pyramid.channels
    wanted = [*stage.read(0, 12), *context.read(0, 12)]
    chunks = [chunk for _, chunk in both.by_chunk()]
    for level, expected in enumerate(wanted):
        np.testing.assert_array_equal(np.concatenate([c[level] for c in chunks]), expected)
        np.testing.assert_array_equal(both.read_frame(5)[level], expected[5])
    assert both.cache_key.difference(stage.cache_key), "the stamp tells of the context too"


def test_scribbles_of_a_longer_clip_are_refused(store: FeatureStore, stage: Stage) -> None:
    scribbles = Scribbles("long.json", {}, {40: np.zeros((96, 128), np.int16)})
    with pytest.raises(ScribbleError, match="41 frames, the clip has 12"):
        pipeline.adapt("square", store, [scribbles], preset=DEFAULT)


def test_context_is_propagated_and_can_be_adapted(
    store: FeatureStore, stage: Stage, one_round: Scribbles
) -> None:
    context = store.stage("square", "context")
    assert context.frames == 12 and [lv.shape for lv in context.pyramid.levels] == [(12, 16, 128)]
    again = pipeline.propagate("square", store)
    assert again.cache_key == context.cache_key
    adapter = pipeline.adapt("square", store, [one_round], preset=PRESETS["paper"])
    assert adapter.provenance.stage == "context" and adapter.W.shape == (128, 2)
    assert len(list(pipeline.predict(adapter, context))) == 12


def test_the_decoder_reads_nothing_but_what_it_was_trained_on(
    store: FeatureStore, stage: Stage, one_round: Scribbles
) -> None:
    adapter = pipeline.adapt("square", store, [one_round], preset=DEFAULT, features="context")
    with pytest.raises(AdapterError, match=r"the decoder reads .*; use --preset paper"):
        list(pipeline.predict(adapter, store.stage("square", "context")))


def test_propagate_needs_extract(store: FeatureStore) -> None:
    with pytest.raises(StoreError, match="vostool extract"):
        pipeline.propagate("square", store)
