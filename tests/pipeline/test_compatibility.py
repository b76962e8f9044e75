"""What does not go together is refused, and told in a line, before masks come of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import moving_square
from vostool.adapter import Adapter, Samples
from vostool.cli.mends import one_line
from vostool.clips import open_clip
from vostool.errors import AdapterError, StaleStageError
from vostool.opening import OpenClip
from vostool.pipeline.context import propagate
from vostool.pipeline.extraction import extract
from vostool.session import Session
from vostool.store import FeatureStore


@pytest.fixture
def adapter(square_adapter: Path) -> Adapter:
    return Adapter.read(square_adapter)


def test_an_adapter_of_another_size_is_refused(
    square_store: FeatureStore, adapter: Adapter, tmp_path: Path
) -> None:
    large = square_store.clip("large")
    extract(open_clip(moving_square(tmp_path / "large", 3, (128, 192))), large)
    propagate(large)
    with pytest.raises(AdapterError, match="128x96"):
        Session.resume(square_store, [adapter], clip="large")
    with pytest.raises(AdapterError, match="128x96"):
        OpenClip(large).session(adapter=adapter)


def test_an_adapter_of_other_features_is_refused(
    square_store: FeatureStore, adapter: Adapter
) -> None:
    provenance = replace(
        adapter.provenance,
        features_key="other",
        made_from={**adapter.provenance.made_from, "backbone": "resnet"},
    )
    with pytest.raises(AdapterError, match="backbone resnet is now efficientnet-lite0"):
        Session.resume(square_store, [replace(adapter, provenance=provenance)])


def test_strokes_on_frames_that_are_not_there_are_refused(
    square_store: FeatureStore, adapter: Adapter
) -> None:
    beyond = {**adapter.strokes.columns(), "frame": adapter.strokes.frame + 10}
    with pytest.raises(AdapterError, match="strokes on frame 12, the clip has 12 frames"):
        Session.resume(square_store, [replace(adapter, strokes=Samples(**beyond))])


def test_context_of_other_backbone_features_is_refused(
    square_store: FeatureStore, square_clip: Path, square_scribbles: Path
) -> None:
    square = square_store.clip("square")
    extract(open_clip(square_clip), square, network_height=64)
    with pytest.raises(StaleStageError, match="other backbone features") as caught:
        OpenClip(square).session()
    assert "make it again with: vostool propagate square" in one_line(caught.value)
    propagate(square)
    session = OpenClip(square).session()
    session.add_scribbles(square_scribbles)
    assert session.adapter.W.shape == (896, 2)


def test_the_decoder_reads_nothing_but_what_it_was_trained_on(
    square_store: FeatureStore, square_scribbles: Path
) -> None:
    session = OpenClip(square_store.clip("square")).session(features="context")
    session.add_scribbles(square_scribbles)
    with pytest.raises(AdapterError, match=r"no decoder reads these features; use --preset paper"):
        list(session.masks())
