"""The decoder learns from simulated rounds, and nothing else is trained on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.test_data import video
from vostool.backbones import Backbone, load_backbone
from vostool.errors import ClipError
from vostool.strnn.context import load_rnn
from vostool.strnn.model import SpatioTemporalRNN
from vostool.training.data import open_videos
from vostool.training.recipes.decoder import DecoderStep, new_decoder
from vostool.training.sampler import ShotSampler
from vostool.training.trainer import Schedule, train
from vostool.weights import find_weights

SIZE, FRAMES = (64, 96), 3
CPU = torch.device("cpu")


def fixed_networks() -> tuple[Backbone, SpatioTemporalRNN]:
    """The default backbone and the shipped RNN."""
    return load_backbone("efficientnet-lite0", CPU), load_rnn(find_weights("rnn"))


def test_the_decoder_learns_from_rounds(tmp_path: Path) -> None:
    decoder, networks = new_decoder(), fixed_networks()
    before = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    step = DecoderStep(
        decoder,
        *networks,
        ShotSampler([open_videos(video(tmp_path / "root", "square"))], FRAMES, SIZE, 0),
        CPU,
    )
    assert step.loss(3).item() == step.loss(3).item(), "an iteration is what its number makes it"

    found: list[float] = []
    train(
        *(decoder, step, Schedule(25, 2e-3), tmp_path / "out", {}),
        lambda *told: found.append(told[2]),
    )

    after = decoder.state_dict()
    assert all(not torch.equal(before[name], after[name]) for name in before)
    assert np.mean(found[-5:]) < 0.8 * np.mean(found[:5])


def test_a_root_with_nothing_to_mark_is_told(tmp_path: Path) -> None:
    root = video(tmp_path / "root", "square")
    for mask in (root / "Annotations" / "square").iterdir():
        Image.new("L", (128, 96)).save(mask)
    sampler = ShotSampler([open_videos(root)], 2, SIZE, 0)
    with pytest.raises(ClipError, match="no object in these shots can be marked"):
        DecoderStep(new_decoder(), *fixed_networks(), sampler, CPU).loss(0)
