"""Rounds of many shots at once are what a session does with each of them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from tests.shots import ShotFeatures, read_shot
from tests.training.test_user import shot_of_two
from vostool.adapter import LearntClip, Lesson, Provenance, Samples, SufficientStatistics
from vostool.backbones import Backbone, load_backbone
from vostool.decoder import WEIGHTS
from vostool.decoder.clip import DecoderClip
from vostool.decoder.network import Decoder
from vostool.decoder.predictor import DecoderPredictor
from vostool.decoder.torch_networks import TorchNetworks
from vostool.pipeline.predictors import Fit
from vostool.presets import PRESETS, Preset
from vostool.session import Session
from vostool.store import FeatureReader
from vostool.training import rounds as module
from vostool.training.batches import Batch
from vostool.training.data import Shot
from vostool.training.features import ShotsFeatures
from vostool.training.recipes.decoder import begin_from, new_decoder
from vostool.training.rounds import FULL_HEIGHT, Rounds, worst_frames
from vostool.training.user import MarkedShot, Marks, correct, mark
from vostool.weights import find_weights

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("efficientnet-lite0")


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    """The shipped one, so that every part has a say."""
    shipped = new_decoder()
    begin_from(shipped, find_weights(WEIGHTS))
    return shipped


@pytest.fixture(scope="module")
def marked() -> list[MarkedShot]:
    """Of two objects, of one of these, and of both again, shown the other way round."""
    two, other = shot_of_two(), shot_of_two()
    other.masks[other.masks == 2] = 0
    turned = Shot(two.images[:, :, ::-1].copy(), two.masks[:, :, ::-1].copy())
    found = [
        mark(shot, np.random.default_rng(n + 3)) for n, shot in enumerate([two, other, turned])
    ]
    assert all(one is not None for one in found)
    return [one for one in found if one is not None]


class Played:
    """A shot in a session of its own."""

    def __init__(self, shot: MarkedShot, backbone: Backbone, decoder: Decoder) -> None:
        self.reader: ShotFeatures = read_shot(shot.shot.images, backbone)

        def trained(reader: FeatureReader, preset: Preset, device: str) -> Fit:
            return partial(DecoderPredictor, DecoderClip(reader, TorchNetworks(decoder)))

        ridge = PRESETS["default"].ridge * self.reader.pyramid.clip_size[0] / FULL_HEIGHT
        self.preset = Preset(ridge, 0.0, decoder=True, features="backbone")
        self.session = Session([self.reader], preset=self.preset, find_predictor=trained)
        self.samples: list[Samples] = []

    def learn(self, marks: Marks) -> None:
        self.samples.append(marks.samples)
        xy, labels = marks.samples.xy, marks.samples.object_id
        features = self.reader.pyramid.sample(self.reader.read_frame(marks.frame), xy)
        clip = LearntClip(
            "shot", self.reader.cache_key.digest, self.reader.pyramid.clip_size, ("",),
            marks.samples, marks.strokes,
        )  # fmt: skip
        statistics = SufficientStatistics.of(features, labels)
        origin = Provenance("", "backbone", {}, 0, "0")
        self.session.take([Lesson(clip, statistics, self.preset, origin)])

    def masks(self) -> np.ndarray:
        return np.stack([mask for _, mask in self.session.masks()])


def test_masks_of_every_round_are_a_sessions(
    marked: list[MarkedShot], backbone: Backbone, decoder: Decoder
) -> None:
    batch = Batch.of(marked)
    rounds = Rounds(decoder, ShotsFeatures.read(backbone, batch.images, CPU), batch)
    played = [Played(shot, backbone, decoder) for shot in marked]
    for one, shot in zip(played, marked, strict=True):
        one.learn(shot.first)
    for number in range(4):
        masks = rounds.masks().numpy()
        expected = np.stack([one.masks() for one in played])
        assert (masks != expected).mean() < 2e-3, number
        marks: list[Marks | None] = []
        for b, one in enumerate(played):
            frame = (number + b) % 3  # some frame twice, in one shot or another
            if (number, b) == (1, 2):  # and one that has nothing to correct
                marks.append(None)
                continue
            truth = batch.truth[b, frame]
            wrong = np.roll(truth, 25, axis=1)
            earlier = Samples.concat(one.samples)
            marks.append(correct(truth, wrong, frame, earlier, np.random.default_rng(number)))
        for one, mine in zip(played, marks, strict=True):
            if mine is not None:
                one.learn(mine)
        rounds.learn(marks)


@pytest.mark.parametrize("shots", [[0], [1, 0, 2]])
def test_gradients_are_those_of_each_shot_alone(
    shots: list[int], marked: list[MarkedShot], backbone: Backbone, decoder: Decoder
) -> None:
    """Of what is carried and of logits, after rounds on other frames and on one twice."""
    some = [marked[n] for n in shots]
    batch = Batch.of(some)
    rounds = Rounds(decoder, ShotsFeatures.read(backbone, batch.images, CPU), batch)
    played = [Played(shot, backbone, decoder) for shot in some]
    for one, shot in zip(played, some, strict=True):
        one.learn(shot.first)
    for frame in (0, 2, 0):
        marks = []
        for b, one in enumerate(played):
            truth, earlier = batch.truth[b, frame], Samples.concat(one.samples)
            wrong = np.roll(truth, 25, axis=1)
            marks.append(correct(truth, wrong, frame, earlier, np.random.default_rng(b)))
            one.learn(marks[-1])
        rounds.learn(marks)

    priors = rounds.priors().view(len(some), 3, rounds.objects + 1, *rounds.priors().shape[2:])
    logits = rounds.logits(torch.arange(len(some) * 3), priors.flatten(0, 1))
    logits = logits.view(len(some), 3, rounds.objects, *logits.shape[2:])
    ours, theirs = [], []
    for b, one in enumerate(played):
        clip = DecoderClip(one.reader, TorchNetworks(decoder))
        predictor = DecoderPredictor(clip, one.session.adapter)
        objects = len(one.session.object_ids)
        for t in range(3):
            features = [level[t : t + 1] for level in one.reader.features]
            expected = next(predictor.logits(t, features))[0]
            torch.testing.assert_close(logits[b, t, :objects], expected, rtol=0.05, atol=0.3)
            ours.append(logits[b, t, :objects].tanh().square().mean())
            theirs.append(expected.tanh().square().mean())
            prior = predictor.priors.of(t)
            if prior is None:
                assert not priors[b, t].any()
                continue
            carried = priors[b, t, : objects + 1]
            torch.testing.assert_close(carried, prior, rtol=0.05, atol=0.02)
            ours.append(carried.square().mean())
            theirs.append(prior.square().mean())
    assert len(ours) > 3 * len(some)
    parts = {
        "decoder": [p for name, p in decoder.named_parameters() if name.startswith("refine.")],
        "propagator": list(decoder.propagator.parameters()),
    }
    for part, parameters in parts.items():
        gradient, expected = (
            torch.cat(
                [
                    g.flatten()
                    for g in torch.autograd.grad(
                        torch.stack(losses).sum(), parameters, retain_graph=True
                    )
                ]
            )
            for losses in (ours, theirs)
        )
        assert expected.norm() > 0, part
        assert (gradient - expected).norm() < 0.1 * expected.norm(), part


def test_a_correction_without_a_stroke_annotates_nothing(
    marked: list[MarkedShot], backbone: Backbone, decoder: Decoder
) -> None:
    batch = Batch.of(marked[:1])
    rounds = Rounds(decoder, ShotsFeatures.read(backbone, batch.images, CPU), batch)
    (first,) = rounds.annotated[0]
    other = (first + 1) % 3
    truth = batch.truth[0, other]
    nothing = correct(truth, truth, other, marked[0].first.samples, np.random.default_rng(0))
    assert len(nothing.strokes) == 0
    before = rounds.masks()
    rounds.learn([nothing])
    assert rounds.annotated == [[first]] and torch.equal(rounds.masks(), before)


def test_strokes_on_another_clip_leave_looks_alone(
    marked: list[MarkedShot], backbone: Backbone, decoder: Decoder
) -> None:
    batch = Batch.of(marked)
    rounds = Rounds(decoder, ShotsFeatures.read(backbone, batch.images, CPU), batch)
    before = rounds.masks()
    rounds.forget_strokes([1])
    priors = rounds.priors().view(3, 3, -1)
    assert not priors[1].any() and priors[0].any() and priors[2].any()
    after = rounds.masks()
    assert torch.equal(before[[0, 2]], after[[0, 2]]) and not torch.equal(before[1], after[1])
    rounds.forget_strokes([0, 2])
    assert not rounds.priors().any()


def test_more_objects_than_a_gpu_plans_for_are_the_same(
    monkeypatch: pytest.MonkeyPatch, marked: list[MarkedShot], backbone: Backbone, decoder: Decoder
) -> None:
    batch = Batch.of(marked)
    features = ShotsFeatures.read(backbone, batch.images, CPU)
    expected, gradients = [], []
    for padded_to in (10**6, 4):
        monkeypatch.setattr(module, "PADDED_TO", padded_to)
        decoder.zero_grad()
        rounds = Rounds(decoder, features, batch)
        logits = rounds.logits(torch.arange(9), rounds.priors())
        expected.append(logits.detach())
        logits.clamp(min=-50).square().mean().backward()  # type: ignore[no-untyped-call]
        gradient = decoder.refine[0][0].first.weight.grad  # type: ignore[index]
        assert isinstance(gradient, torch.Tensor)
        gradients.append(gradient.clone())
    torch.testing.assert_close(*expected)
    torch.testing.assert_close(*gradients, rtol=2e-2, atol=1e-4)


def test_the_worst_frame_is_that_of_least_j() -> None:
    truth = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    truth[:, :, :2] = 1
    truth[0, :, 3] = 2
    masks = truth.clone()
    masks[0, 1, 3], masks[1, 2, 0] = 0, 0
    frames, j = worst_frames(masks, truth)
    assert frames.tolist() == [1, 2]
    torch.testing.assert_close(j, torch.tensor([0.5, 0.5]))
    frames, j = worst_frames(truth, truth)
    assert j.tolist() == [1, 1]
