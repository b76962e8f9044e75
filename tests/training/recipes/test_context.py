"""The two steps train what they should, on what they should, and the loss of Eq. 4 falls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.conftest import moving_square, square_mask
from tests.training.test_data import video
from vostool.backbones import load_backbone
from vostool.backbones.efficientnet_lite import ARCHITECTURE
from vostool.backbones.network import efficientnet_lite0_file
from vostool.pyramid import Pyramid
from vostool.strnn.context import on_one_grid
from vostool.training.data import Shot, Video, open_videos
from vostool.training.loss import context_loss
from vostool.training.network import ContextNetwork
from vostool.training.recipes.context import (
    FixedBackboneStep,
    JointStep,
    labels_of_vertices,
    shot_loss,
)
from vostool.training.sampler import ShotSampler
from vostool.training.trainer import Schedule, Step, train

SIZE, FRAMES = (64, 96), 3
CPU = torch.device("cpu")


@pytest.fixture
def sources(tmp_path: Path) -> list[Video]:
    return open_videos(video(tmp_path / "root", "square"))


@pytest.fixture
def network() -> ContextNetwork:
    return ContextNetwork(ARCHITECTURE, efficientnet_lite0_file()).train()


def losses(network: ContextNetwork, step: Step, out: Path, iterations: int) -> list[float]:
    found: list[float] = []
    schedule = Schedule(iterations, learning_rate=1e-3)
    train(network, step, schedule, out, {}, lambda *told: found.append(told[2]))
    return found


def test_its_features_are_those_that_are_stored(tmp_path: Path, network: ContextNetwork) -> None:
    """What is trained is what `extract` runs; only the arithmetic is more exact."""
    frames = np.stack([np.zeros((64, 96, 3), np.uint8), np.full((64, 96, 3), 200, np.uint8)])
    frames[:, 20:50, 30:60] = (200, 40, 40)
    stored = load_backbone("efficientnet-lite0", "cpu")
    with torch.no_grad():
        mine = network.eval().levels(torch.from_numpy(frames))
    for level, theirs in zip(mine, stored.features(frames), strict=True):
        a, b = level.numpy(), theirs.astype(np.float32)
        cosine = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
        assert cosine.min() > 0.9 and cosine.mean() > 0.98
    pyramid = Pyramid(SIZE, SIZE, stored.levels(*SIZE))
    assert on_one_grid(mine, pyramid).shape == (2, 8, 12, pyramid.channels)


def test_before_step_2_frames_do_not_hear_of_each_other(network: ContextNetwork) -> None:
    frames = torch.randint(0, 255, (3, *SIZE, 3), dtype=torch.uint8)
    with torch.no_grad():
        levels = network.levels(frames)
        alone = network.context([level[2:] for level in levels], SIZE)
        together = network.context(levels, SIZE)
        network.rnn.K_time.fill_(0.01)
        in_time = network.context(levels, SIZE)
    torch.testing.assert_close(together[2:], alone, atol=1e-4, rtol=1e-4)
    assert (in_time[2:] - alone).abs().max() > 1e-3


def test_step_1_trains_the_backbone_and_the_spatial_rnn(
    sources: list[Video], network: ContextNetwork, tmp_path: Path
) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    step = JointStep(network, ShotSampler([sources], FRAMES, SIZE, seed=0), CPU)

    found = losses(network, step, tmp_path / "out", iterations=12)

    after = network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {"rnn.U", "rnn.K_space", "rnn.V", "backbone._conv_stem.weight"} <= changed
    assert "rnn.K_time" not in changed
    assert not [name for name in changed if "running" in name], "batch norms keep their statistics"
    assert np.mean(found[-4:]) < 0.9 * np.mean(found[:4])


def test_step_2_tunes_the_rnn_on_stored_features(
    sources: list[Video], network: ContextNetwork, tmp_path: Path
) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    step = FixedBackboneStep(
        network,
        ShotSampler([sources], FRAMES, SIZE, 0),
        CPU,
        temporal=True,
        shots=3,
        folder=tmp_path / "shots",
    )
    step.prepare(lambda *_: None)
    files = {file: file.stat().st_mtime_ns for file in (tmp_path / "shots").iterdir()}
    assert len(files) == 3

    found = losses(network, step, tmp_path / "out", iterations=16)

    after = network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {f"rnn.{name}" for name in ("U", "b", "K_space", "K_time", "V")}
    assert np.mean(found[-4:]) < 0.9 * np.mean(found[:4])
    step.prepare(lambda *_: pytest.fail("made them again"))
    assert {file: file.stat().st_mtime_ns for file in files} == files


def test_each_object_in_turn_is_the_foreground() -> None:
    generator = torch.Generator().manual_seed(0)
    context = torch.randn(2, 2, 4, 3, generator=generator)
    labels = np.array([[[0, 1, 1, 2], [0, 0, 2, 2]], [[0, 1, 0, 2], [1, 1, 0, 3]]], np.uint8)
    rng = np.random.default_rng(0)
    anchor = int(np.random.default_rng(0).integers(0, 2))

    found = shot_loss(context, labels, rng)

    here, there = context[anchor], context[1 - anchor]
    expected: Tensor = torch.zeros(())
    for label in (1, 2):
        mine = torch.from_numpy(labels[anchor] == label)
        theirs = torch.from_numpy(labels[1 - anchor] == label)
        to_nearest = torch.cdist(here[mine], there[~theirs]).square().min(dim=1).values
        unit = to_nearest.median().sqrt()
        expected = expected + context_loss(
            here[mine] / unit, there[theirs] / unit, there[~theirs] / unit
        )
    count = int(np.isin(labels[anchor], (1, 2)).sum())
    torch.testing.assert_close(found, expected / count)


def test_features_that_shrink_gain_nothing() -> None:
    """Nor do those whose background moves far away: the trivial minima of Eq. 4."""
    context = torch.randn(2, 6, 8, 3, generator=torch.Generator().manual_seed(0))
    labels = np.zeros((2, 6, 8), np.uint8)
    labels[:, 1:4, 1:4] = 1
    far = context.clone()
    far[:, :, 5:] += 1000
    as_it_is, shrunk, moved = (
        shot_loss(features, labels, np.random.default_rng(0)).item()
        for features in (context, context * 1e-3, far)
    )
    assert shrunk == pytest.approx(as_it_is, rel=1e-3)
    assert moved > 0.5 * as_it_is


def test_a_shot_without_objects_has_no_loss() -> None:
    context = torch.randn(3, 2, 2, 4, requires_grad=True)
    found = shot_loss(context, np.zeros((3, 2, 2), np.uint8), np.random.default_rng(0))
    found.backward()  # type: ignore[no-untyped-call]
    assert found.item() == 0


def test_a_vertex_has_the_label_of_the_pixel_it_lies_on(tmp_path: Path) -> None:
    moving_square(tmp_path)
    mask = square_mask(2).astype(np.uint8)[None]
    labels = labels_of_vertices(Shot(np.zeros((1, 96, 128, 3), np.uint8), mask), ARCHITECTURE)
    assert labels.shape == (1, 12, 16)
    assert labels[0, 4, 5] == mask[0, 32, 40] == 1 and labels[0, 0, 0] == 0
