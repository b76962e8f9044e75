"""Rounds in small are rounds of the real adapter: more strokes, better scores, nothing trained."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.conftest import square_mask
from vostool.backbones import load_backbone
from vostool.decoder.clip import DecoderClip
from vostool.decoder.network import Decoder
from vostool.decoder.predictor import DecoderPredictor
from vostool.decoder.torch_networks import TorchNetworks
from vostool.training import simulation
from vostool.training.data import Shot
from vostool.training.recipes.decoder import new_decoder
from vostool.training.simulation import (
    ShotFeatures,
    at_pixels,
    read_shot,
    simulate,
    worst_frame,
)

Read = Callable[[Shot], ShotFeatures]


@pytest.fixture(scope="module")
def read() -> Read:
    backbone = load_backbone("efficientnet-lite0")
    return lambda shot: read_shot(shot.images, backbone)


@pytest.fixture(autouse=True)
def everything_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "BYSTANDERS", 0.0)


@pytest.fixture
def decoder() -> Decoder:
    return new_decoder()


def shot_of_squares(shown: bool = True) -> Shot:
    masks = np.stack([square_mask(t) for t in (0, 5, 10)]).astype(np.uint8) * shown
    # Twice as large: corrections near a small object's outline are all left out.
    masks = masks.repeat(2, axis=1).repeat(2, axis=2)
    noise = np.random.default_rng(0).integers(0, 90, (3, *masks.shape[1:], 3)).astype(np.uint8)
    images = np.where(masks[..., None] > 0, np.array([220, 30, 30], np.uint8), noise)
    return Shot(images, masks)


def shot_of_two() -> Shot:
    """Two squares of other colours, that keep their places."""
    masks = np.zeros((3, 192, 256), np.uint8)
    for t in range(3):
        masks[t, 40:120, 20 + 6 * t : 100 + 6 * t], masks[t, 60:150, 140:220] = 5, 2
    colours = np.array(
        [[60, 90, 60], [0, 0, 0], [30, 30, 220], [0, 0, 0], [0, 0, 0], [220, 30, 30]]
    )
    noise = np.random.default_rng(0).integers(0, 30, (*masks.shape, 3))
    return Shot((colours[masks] + noise).astype(np.uint8), masks)


def j_of(shot: Shot, read: Read, decoder: Decoder, rounds: int, seed: int = 3) -> float:
    """Of the masks that the last round's adapter makes."""
    reader = read(shot)
    simulation = simulate(shot, reader, decoder, rounds, np.random.default_rng(seed))
    assert simulation is not None
    assert simulation.truth.shape == shot.masks.shape
    assert [level.shape[0] for level in reader.features] == [3] * 4
    clip = DecoderClip(reader, TorchNetworks(decoder))
    predictor = DecoderPredictor(clip, simulation.adapter)
    masks = predictor.masks(0, reader.features)
    both = ((masks == simulation.truth) & (simulation.truth > 0)).sum()
    return float(both / ((masks > 0) | (simulation.truth > 0)).sum())


def test_later_rounds_add_to_the_first(read: Read, decoder: Decoder) -> None:
    shot = shot_of_squares()
    first, third = (
        [j_of(shot, read, decoder, rounds, seed) for seed in (3, 4, 5)] for rounds in (1, 3)
    )
    assert min(first) > 0.4 and np.mean(third) > np.mean(first) + 0.1


def test_objects_are_marked_together_by_their_own_ids(read: Read, decoder: Decoder) -> None:
    shot = shot_of_two()
    reader = read(shot)
    found = simulate(shot, reader, decoder, 1, np.random.default_rng(0))
    assert found is not None
    assert found.adapter.object_ids == (0, 2, 5)
    np.testing.assert_array_equal(found.truth, shot.masks)
    assert set(found.adapter.clips[0].strokes.object_id) == {2, 5} and len(found.annotated) == 1
    assert j_of(shot, read, decoder, 1) > 0.5


def test_rounds_tell_of_their_strokes(read: Read, decoder: Decoder) -> None:
    """Annotated frames are told in the order in which they were drawn on."""
    shot = shot_of_two()
    for seed in range(4):
        rng = np.random.default_rng(seed)
        found = simulate(shot, read(shot), decoder, 4, rng)
        assert found is not None
        strokes = found.adapter.clips[0].strokes
        assert 1 <= strokes.round.max() <= 4
        first_seen = dict.fromkeys(strokes.frame[np.argsort(strokes.round, kind="stable")].tolist())
        assert found.annotated == list(first_seen)


def test_an_object_that_nobody_marked_is_background(read: Read, decoder: Decoder) -> None:
    """One that is too small to mark, or is nowhere in the frame that comes first."""
    shot = shot_of_two()
    shot.masks[0, 0:5, 0:5] = 9
    found = simulate(shot, read(shot), decoder, 1, np.random.default_rng(0))
    assert found is not None
    assert set(np.unique(found.truth)) == {0, 2, 5} and not found.truth[0, 0:5, 0:5].any()


def test_of_several_some_may_be_background(
    read: Read, decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "BYSTANDERS", 1.0)
    shot = shot_of_two()
    asked = set()
    for seed in range(6):
        found = simulate(shot, read(shot), decoder, 1, np.random.default_rng(seed))
        assert found is not None
        (object_id,) = found.adapter.object_ids[1:]
        np.testing.assert_array_equal(found.truth > 0, shot.masks == object_id)
        asked.add(object_id)
    assert asked == {2, 5}


def test_chance_decides_it_alone(read: Read, decoder: Decoder) -> None:
    shot = shot_of_two()
    first, again = (simulate(shot, read(shot), decoder, 2, np.random.default_rng(1)) for _ in "12")
    assert first is not None and again is not None and first.annotated == again.annotated
    np.testing.assert_array_equal(first.adapter.W, again.adapter.W)


def test_the_worst_frame_is_that_of_least_j() -> None:
    truth = np.zeros((3, 8, 8), np.uint8)
    truth[:, :4, :4], truth[:, 4:, 4:] = 1, 2
    masks = truth.copy()
    assert worst_frame(masks, truth) == (0, 1.0)
    masks[1][masks[1] == 2] = 0
    masks[2, :2, :4] = 0
    assert worst_frame(masks, truth) == (1, 0.5)
    nothing = np.zeros_like(truth)
    assert worst_frame(nothing, nothing) == (0, 1.0)


def test_logits_at_pixels_keep_to_their_vertices(read: Read) -> None:
    pyramid = read(shot_of_squares()).pyramid
    logits = torch.randn(2, 3, *pyramid.levels[0].shape[:2])
    found = at_pixels(logits, pyramid)
    assert found.shape == (2, 3, *pyramid.clip_size)
    torch.testing.assert_close(found[..., ::4, ::4], logits, atol=1e-4, rtol=1e-4)


def test_an_object_that_cannot_be_marked_is_told(read: Read, decoder: Decoder) -> None:
    shot = shot_of_squares(shown=False)
    assert simulate(shot, read(shot), decoder, 2, np.random.default_rng(0)) is None


def test_a_frame_that_is_all_object_is_told(read: Read, decoder: Decoder) -> None:
    shot = shot_of_squares()
    full = Shot(shot.images, np.ones_like(shot.masks))
    simulation = simulate(full, read(full), decoder, 2, np.random.default_rng(0))
    assert simulation is None or simulation.truth.all()
