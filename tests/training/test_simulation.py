"""Rounds in small are rounds of the real adapter: more strokes, better scores, nothing trained."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.conftest import square_mask
from vostool.backbones import load_backbone
from vostool.decoder.network import Decoder
from vostool.strnn.context import load_rnn
from vostool.training.data import Shot
from vostool.training.recipes.decoder import new_decoder
from vostool.training.simulation import ShotFeatures, at_pixels, read_shot, simulate
from vostool.weights import find_weights

Read = Callable[[Shot], ShotFeatures]


@pytest.fixture(scope="module")
def read() -> Read:
    backbone = load_backbone("efficientnet-lite0", torch.device("cpu"))
    rnn = load_rnn(find_weights("rnn"))
    return lambda shot: read_shot(shot.images, backbone, rnn)


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


def j_of(shot: Shot, read: Read, decoder: Decoder, rounds: int) -> float:
    simulation = simulate(shot, read(shot), decoder, rounds, np.random.default_rng(3))
    assert simulation is not None
    assert simulation.scores.shape[:2] == (3, 1)
    assert [level.shape[0] for level in simulation.levels] == [3] * 5, (
        "the backbone's four and the context"
    )
    masks = (at_pixels(simulation.scores, simulation.pyramid)[:, 0] > 0).numpy()
    return float((masks & simulation.truth).sum() / (masks | simulation.truth).sum())


def test_later_rounds_add_to_the_first(read: Read, decoder: Decoder) -> None:
    shot = shot_of_squares()
    first, third = (j_of(shot, read, decoder, rounds) for rounds in (1, 3))
    assert first > 0.4 and third > first


def test_an_object_that_cannot_be_marked_is_told(read: Read, decoder: Decoder) -> None:
    shot = shot_of_squares(shown=False)
    assert simulate(shot, read(shot), decoder, 2, np.random.default_rng(0)) is None


def test_a_frame_that_is_all_object_is_told(read: Read, decoder: Decoder) -> None:
    shot = shot_of_squares()
    full = Shot(shot.images, np.ones_like(shot.masks))
    simulation = simulate(full, read(full), decoder, 2, np.random.default_rng(0))
    assert simulation is None or simulation.truth.all()
