"""What does not go together is refused, and told in a line, before masks come of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from vostool.adapter import Adapter, Samples
from vostool.backbones import DEFAULT
from vostool.cli.mends import one_line
from vostool.clips import open_clip
from vostool.errors import AdapterError, StaleStageError
from vostool.opening import OpenClip
from vostool.pipeline.context import propagate
from vostool.pipeline.extraction import extract
from vostool.presets import PRESETS
from vostool.session import Session
from vostool.store import FeatureStore


@pytest.fixture
def adapter(square_adapter: Path) -> Adapter:
    return Adapter.read(square_adapter)


def of_no_clip_here(adapter: Adapter) -> Adapter:
    """As if it had been fitted on another clip, of other frames."""
    (clip,) = adapter.clips
    return replace(adapter, clips=(replace(clip, name="other", features_key="other"),))


def test_an_adapter_of_other_networks_is_refused(
    square_store: FeatureStore, adapter: Adapter
) -> None:
    networks = {**adapter.provenance.networks, "backbone": "resnet"}
    other = replace(of_no_clip_here(adapter), provenance=replace(
        adapter.provenance, networks=networks
    ))  # fmt: skip
    with pytest.raises(AdapterError, match="backbone resnet is now efficientnet-lite0"):
        Session.resume(square_store, [other], clip="square")


def test_another_clip_of_the_same_name_is_refused(
    square_store: FeatureStore, adapter: Adapter
) -> None:
    """Its strokes lie on frames that are no more: what was drawn there would mean nothing."""
    (clip,) = adapter.clips
    edited = replace(adapter, clips=(replace(clip, features_key="before it was edited"),))
    with pytest.raises(AdapterError, match="fitted on square when its frames were others") as told:
        Session.resume(square_store, [edited])
    assert "\n" not in str(told.value) and "vostool adapt square" in str(told.value)


def test_strokes_on_frames_that_are_not_there_are_refused(
    square_store: FeatureStore, adapter: Adapter
) -> None:
    (clip,) = adapter.clips
    beyond = Samples(**{**clip.strokes.columns(), "frame": clip.strokes.frame + 10})
    changed = replace(adapter, clips=(replace(clip, strokes=beyond),))
    with pytest.raises(AdapterError, match="strokes on frame 12, the clip has 12 frames"):
        Session.resume(square_store, [changed])


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("backbone_is_kept", [True, False])
def test_the_networks_are_known_whatever_the_preset_reads(
    square_store: FeatureStore, square_scribbles: Path, preset: str, backbone_is_kept: bool
) -> None:
    """Context alone tells its backbone only while that is there; its own clip it knows always."""
    square = square_store.clip("square")
    session = OpenClip(square).session(preset)
    session.add_scribbles(square_scribbles)
    networks = session.adapter.provenance.networks
    of_context = {"model"} if preset == "paper" else set()
    assert set(networks) == {"backbone", "weights", "network_height", *of_context}
    if preset == "default" or backbone_is_kept:
        Session.resume(square_store, [of_no_clip_here(session.adapter)], clip="square")
        return
    square.remove(DEFAULT, "backbone")
    Session.resume(square_store, [session.adapter])
    with pytest.raises(AdapterError, match="fitted on other context features"):
        Session.resume(square_store, [of_no_clip_here(session.adapter)], clip="square")


def test_context_of_other_backbone_features_is_refused(
    square_store: FeatureStore, square_clip: Path, square_scribbles: Path
) -> None:
    square = square_store.clip("square")
    extract(open_clip(square_clip), square, network_height=64)
    with pytest.raises(StaleStageError, match="other backbone features") as caught:
        OpenClip(square).session(features="both")
    assert "make it again with: vostool propagate square" in one_line(caught.value)
    propagate(square)
    session = OpenClip(square).session(features="both")
    session.add_scribbles(square_scribbles)
    assert session.adapter.W.shape == (896, 2)


def test_the_decoder_reads_nothing_but_what_it_was_trained_on(
    square_store: FeatureStore, square_scribbles: Path
) -> None:
    session = OpenClip(square_store.clip("square")).session(features="context")
    session.add_scribbles(square_scribbles)
    with pytest.raises(AdapterError, match=r"no decoder reads these features; use --preset paper"):
        list(session.masks())
