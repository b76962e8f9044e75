"""What tells where objects may be learns it of the decoder, and changes nothing else of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.recipes.test_decoder import CPU, FRAMES, SIZE
from tests.training.test_data import video
from tests.training.test_user import shot_of_two
from vostool.backbones import DEFAULT, load_backbone
from vostool.checkpoints import TRAINED_ON, read_metadata, read_tensors
from vostool.decoder import WEIGHTS
from vostool.decoder.shape import FINE
from vostool.training.batches import Batch
from vostool.training.data import open_videos
from vostool.training.features import ShotsFeatures
from vostool.training.recipes import Setting
from vostool.training.recipes.decoder import begin_from, new_decoder
from vostool.training.recipes.presence import PresenceStep, is_near, presence, presence_loss
from vostool.training.rounds import Rounds
from vostool.training.sampler import ShotSampler
from vostool.training.trainer import Schedule, train
from vostool.training.user import mark
from vostool.weights import find_weights


@pytest.mark.parametrize("vertex", [(0, 0), (5, 9), (11, 15)])
def test_a_vertex_speaks_for_what_is_nearest_to_it(vertex: tuple[int, int]) -> None:
    logits = torch.full((1, 2, 48, 64), -3.0)
    row, column = (4 * along for along in vertex)
    logits[0, 1, row, column] = 2
    near = is_near(logits)
    assert near.shape == (1, 2, 12, 16)
    assert near[0, 1, vertex[0], vertex[1]] == 1 and near.sum() == 1
    logits[0, 0, row, column] = 5
    assert is_near(logits)[0, 1].sum() == 0, "the pixel is another object's"


def test_only_presence_hears_of_the_loss_and_it_learns() -> None:
    batch = Batch.of([one for one in [mark(shot_of_two(), np.random.default_rng(1))] if one])
    decoder = new_decoder()
    begin_from(decoder, find_weights(WEIGHTS))
    features = ShotsFeatures.read(load_backbone(DEFAULT), batch.images, CPU)
    rounds, every = Rounds(decoder, features, batch), torch.arange(3)
    optimizer = torch.optim.Adam(decoder.presence.parameters(), 0.01)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = presence_loss(rounds, every)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    for name, parameter in decoder.named_parameters():
        assert (parameter.grad is not None) == name.startswith("presence."), name
    with torch.no_grad():
        each = rounds.each_object(every, rounds.priors())
        coarse = decoder.coarse(each.read, [level[:, None] for level in each.evidence])[:, 0]
        said = decoder.where(coarse, each.evidence[FINE]) > 0
        near = is_near(rounds.logits(every, rounds.priors()))[each.row, each.number] > 0
    assert said[near].float().mean() > 0.9, "what is there is found"


def test_the_recipe_leaves_the_shipped_decoder_as_it_is(tmp_path: Path) -> None:
    """All but the new part, which a training begins anew; from the sampler to the file."""
    sampler = ShotSampler([open_videos(video(tmp_path / "root", "square"))], FRAMES, SIZE, 0)
    setting = Setting(sampler, CPU, 0, 2, None, "", tmp_path / "out")
    task = presence(setting, backbone=DEFAULT, weights=None, batch=2, workers=0)
    assert isinstance(task.step, PresenceStep)
    train(task.network, task.step, Schedule(2, 1e-3), tmp_path / "out", {}, lambda *_: None)
    (file,) = task.write(tmp_path / "out")
    ours, theirs = read_tensors(file), read_tensors(find_weights(WEIGHTS))
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert np.array_equal(ours[name], tensor) != name.startswith("presence."), name
    key = TRAINED_ON
    assert read_metadata(file)[key] == read_metadata(find_weights(WEIGHTS))[key]
