"""The propagation network learns to carry masks, over spans that grow."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.mask_propagation.test_feature_propagator import PYRAMID, features
from tests.mask_propagation.test_feature_propagator import SIZE as SIZE_OF_ALL
from tests.training.recipes.test_decoder import CPU, FRAMES, SIZE, fixed_networks
from tests.training.test_data import video
from vostool.checkpoints import load_weights, write_weights
from vostool.mask_propagation import feature_propagator
from vostool.pyramid import Level, Pyramid
from vostool.scribbles import UNMARKED
from vostool.training.data import open_videos
from vostool.training.recipes import refiner
from vostool.training.recipes.decoder import new_decoder
from vostool.training.recipes.refiner import RefineStep, new_propagation, path_of
from vostool.training.sampler import ShotSampler
from vostool.training.simulation import Simulation, read_shot, simulate
from vostool.training.trainer import Schedule, train


def step_on(root: Path, iterations: int) -> RefineStep:
    sampler = ShotSampler([open_videos(video(root, "square"))], FRAMES, SIZE, 0)
    return RefineStep(new_propagation(), new_decoder(), *fixed_networks(), sampler, iterations, CPU)


def test_it_learns_to_carry_masks(tmp_path: Path) -> None:
    step = step_on(tmp_path / "root", 25)
    network = step._network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    decoder = [tensor.clone() for tensor in step._decoder.parameters()]
    assert step.loss(20).item() == step.loss(20).item(), "an iteration is what its number makes it"

    def mean_loss() -> float:
        return float(np.mean([step.loss(iteration).item() for iteration in range(0, 25, 4)]))

    untrained = mean_loss()
    train(network, step, Schedule(25, 2e-3), tmp_path / "out", {}, lambda *_: None)

    after = network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == set(before)
    assert all(map(torch.equal, decoder, step._decoder.parameters())), "the decoder is fixed"
    assert mean_loss() < 0.8 * untrained, "of the same shots"


def test_spans_grow_from_one_frame_to_the_whole_shot(tmp_path: Path) -> None:
    step = step_on(tmp_path / "root", 100)
    spans = [step.span(iteration) for iteration in range(100)]
    assert spans[0] == 1 and spans == sorted(spans)
    assert spans[-1] == spans[60] == FRAMES - 1


def simulation(frames: int, annotated: list[int]) -> Simulation:
    geometry = Pyramid((8, 8), (8, 8), (Level("s4", 4, (2, 2, 1)),))
    marks = np.zeros((8, 8), np.int16)
    truth = np.zeros((frames, 8, 8), bool)
    return Simulation(
        [], torch.zeros(frames, 1, 2, 2), None, truth, dict.fromkeys(annotated, marks), geometry
    )


@pytest.mark.parametrize("span", [1, 2, 9])
def test_a_path_leads_from_an_annotated_frame_outwards(span: int) -> None:
    ends = set()
    for seed in range(40):
        path = path_of(simulation(6, [0, 3]), span, np.random.default_rng(seed))
        assert path[0] in (0, 3) and 2 <= len(path) <= span + 1
        assert path in (
            list(range(path[0], path[-1] + 1)),
            list(range(path[0], path[-1] - 1, -1)),
        )
        ends.add(path[-1])
    assert len(ends) > 1, "either way"
    assert path_of(simulation(1, [0]), span, np.random.default_rng(0)) == [0]


def test_rounds_that_are_simulated_tell_of_their_strokes(tmp_path: Path) -> None:
    (source,) = open_videos(video(tmp_path / "root", "square"))
    rng = np.random.default_rng(0)
    shot = source.shot(FRAMES, SIZE, rng)
    backbone, rnn = fixed_networks()
    found = simulate(shot, read_shot(shot.images, backbone, rnn), new_decoder(), 3, rng)
    assert found is not None and 1 <= len(found.marks) <= 3
    for frame, marks in found.marks.items():
        assert marks.shape == SIZE and (marks >= 0).any()
        assert found.truth[frame][marks == 1].all() and not found.truth[frame][marks == 0].any()


@torch.inference_mode()
def test_what_is_trained_is_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way through a shot, and the propagator of `vostool refine`, on the same frames."""
    monkeypatch.setattr(refiner, "mixed_precision", lambda _: nullcontext())
    monkeypatch.setattr(feature_propagator, "fast_dtype", lambda _: torch.float32)
    feature_propagator._network.cache_clear()
    network = new_propagation().eval()
    for layer in network.predict:
        assert isinstance(layer, torch.nn.Conv2d)
        torch.nn.init.normal_(layer.weight, std=0.05)
    write_weights(tmp_path / "w.safetensors", network.state_dict(), {})
    load_weights(network, tmp_path / "w.safetensors")
    frames = 4
    levels = [torch.from_numpy(level).float() for level in features(0, frames)]
    classifier = torch.full((frames, *PYRAMID.levels[0].shape[:2]), -3.0)
    for t in range(frames):
        classifier[t, 10 + t : 30 + 2 * t, 20 + 3 * t : 50 + 5 * t] = 3.0
    marks = np.full(SIZE_OF_ALL, UNMARKED, np.int16)
    marks[60:90, 130] = 1
    truth = np.zeros((frames, *SIZE_OF_ALL), bool)
    shot = Simulation(levels, classifier[:, None], None, truth, {0: marks}, PYRAMID)

    way = refiner._Way(network, shot, classifier)
    found = [way.step(t)[0] for t in range(frames)]

    carries = feature_propagator.FeaturePropagator(
        PYRAMID, (1,), features, lambda _: classifier[:, None], tmp_path / "w.safetensors", CPU
    )
    first, *others = carries.observations(0, frames)
    logits = carries.begin(first, marks)
    torch.testing.assert_close(found[0], logits[0], atol=1e-4, rtol=1e-4)
    memory = carries.remember(first, torch.sigmoid(logits), marks)
    for observation, expected in zip(others, found[1:], strict=True):
        logits = carries.step(observation, torch.sigmoid(logits), memory)
        torch.testing.assert_close(expected, logits[0], atol=1e-3, rtol=1e-3)
        assert (logits[0] - observation.classifier[0]).abs().max() > 0.1
    feature_propagator._network.cache_clear()
