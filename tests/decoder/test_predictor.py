"""Masks through the shipped decoder, with the strokes and what was carried from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.decoder.clips import PYRAMID, SIZE, adapter_of, clip_of, random_features, strokes_on
from vostool.adapter import Samples
from vostool.backbones import DEFAULT, find_network
from vostool.checkpoints import TRAINED_ON, read_metadata
from vostool.decoder import WEIGHTS, clip, predictor
from vostool.decoder.clip import DecoderClip
from vostool.decoder.compiled import CompiledNetworks, compiled
from vostool.decoder.network import Decoder
from vostool.decoder.predictor import DecoderPredictor
from vostool.decoder.torch_networks import TorchNetworks
from vostool.pipeline.predictors import LinearPredictor
from vostool.store import Features
from vostool.training.recipes.decoder import new_decoder
from vostool.weights import find_weights


def random_W(classes: int, seed: int = 1) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(PYRAMID.channels, classes))


def trained() -> Decoder:
    """Weights that are nobody's, so that every part has a say."""
    decoder = new_decoder().eval()
    for module in decoder.modules():
        if isinstance(module, torch.nn.Conv2d) and not module.weight.any():
            torch.nn.init.normal_(module.weight, std=0.1)
    return decoder


def shipped() -> CompiledNetworks:
    """Those that make masks on a CPU."""
    return compiled(find_weights(WEIGHTS))


def test_the_shipped_decoder_reads_the_default_backbone() -> None:
    reads = read_metadata(find_weights(WEIGHTS))[TRAINED_ON]
    assert reads == find_network(DEFAULT).fingerprint()


def test_sure_scores_stay_as_they_are() -> None:
    """Far from any doubt the decoder has nothing to add, for any ids and any number of frames."""
    frames = TorchNetworks.at_once + 1
    features = [np.zeros((frames, *level.shape), np.float16) for level in PYRAMID.levels]
    _, third, *_ = features
    third[:, :, :8, 0] = 1  # the left half
    third[:, :, 8:, 1] = 1
    W = np.zeros((PYRAMID.channels, 3))
    W[24, 1], W[25, 2] = 40.0, 40.0
    adapter = adapter_of(W, (0, 4, 9))
    labels = DecoderPredictor(DecoderClip(clip_of(features), shipped()), adapter).masks(0, features)
    assert labels.shape == (frames, *SIZE) and labels.dtype == np.uint8
    assert (labels[:, 10:-10, 10:50] == 4).all() and (labels[:, 10:-10, 78:-10] == 9).all()
    assert (labels == LinearPredictor(PYRAMID, W, (0, 4, 9)).masks(0, features)).mean() > 0.9


def part(features: Features, start: int, stop: int) -> Features:
    return [level[start:stop] for level in features]


@pytest.mark.parametrize("strokes", [Samples.empty(), strokes_on((1, 20, 30, 1, 1))])
def test_masks_of_one_frame_are_those_of_many(strokes: Samples) -> None:
    features = random_features(3)
    decoding = DecoderPredictor(
        DecoderClip(clip_of(features), shipped()), adapter_of(random_W(2), (0, 1), strokes)
    )
    together = decoding.masks(0, features)
    alone = [decoding.masks(t, part(features, t, t + 1))[0] for t in range(3)]
    assert (together == np.stack(alone)).mean() > 0.999, "but for a rounding here and there"


@pytest.mark.parametrize("object_ids", [(0, 3), (0, 1, 254)])
def test_only_its_own_ids_appear(object_ids: tuple[int, ...]) -> None:
    features = random_features(2)
    strokes = strokes_on(*((0, 10, 20 + 9 * n, k, 1) for n, k in enumerate(object_ids)))
    adapter = adapter_of(random_W(len(object_ids), 2), object_ids, strokes)
    labels = DecoderPredictor(DecoderClip(clip_of(features), shipped()), adapter).masks(0, features)
    assert set(np.unique(labels)) <= set(object_ids)


def test_scores_are_what_masks_are_made_of() -> None:
    features = random_features(3)
    strokes = strokes_on((0, 10, 20, 2, 1), (0, 70, 60, 5, 1))
    adapter = adapter_of(random_W(3), (0, 2, 5), strokes)
    decoding = DecoderPredictor(DecoderClip(clip_of(features), TorchNetworks(trained())), adapter)
    scores = decoding.scores(0, features)
    assert scores.shape == (3, 2, *SIZE) and scores.dtype == np.float32
    best = np.where(scores.max(axis=1) > 0, np.array([2, 5])[scores.argmax(axis=1)], 0)
    np.testing.assert_array_equal(decoding.masks(0, features), best)


@pytest.mark.parametrize("frames", [1, 2, 9, 19])
@pytest.mark.parametrize("kept", [512, 8])
def test_the_order_and_what_is_forgotten_change_nothing(
    monkeypatch: pytest.MonkeyPatch, frames: int, kept: int
) -> None:
    """Forwards, backwards and at random, whatever of the frames is remembered."""
    monkeypatch.setattr(clip, "SEEN_KEPT", kept)
    monkeypatch.setattr(predictor, "SCORES_KEPT", kept)
    features, decoder = random_features(frames), trained()
    last = frames - 1
    strokes = strokes_on((last, 10, 20, 1, 1), (0, 70, 60, 2, 2))
    adapter = adapter_of(random_W(3), (0, 1, 2), strokes)

    def carried(order: list[int]) -> dict[int, torch.Tensor | None]:
        decoding = DecoderPredictor(DecoderClip(clip_of(features), TorchNetworks(decoder)), adapter)
        with torch.inference_mode():
            return {t: decoding.priors.of(t) for t in order}

    whole = carried(list(range(frames)))
    found = carried(np.random.default_rng(0).permutation(frames).tolist())
    for t, expected in whole.items():
        other = found[t]
        assert (other is None) == (expected is None) == (t == last)
        assert other is None or expected is None or torch.equal(other, expected)


def test_rounds_on_one_clip_are_rounds_on_clips_of_their_own() -> None:
    """What a clip remembers of an earlier round's strokes is nothing."""
    features, decoder = random_features(6), trained()
    shared = DecoderClip(clip_of(features), TorchNetworks(decoder))
    for seed, strokes in enumerate([strokes_on((0, 10, 20, 1, 1)), strokes_on((4, 70, 60, 1, 1))]):
        adapter = adapter_of(random_W(2, seed), (0, 1), strokes)
        own = DecoderClip(clip_of(features), TorchNetworks(decoder))
        np.testing.assert_array_equal(
            DecoderPredictor(shared, adapter).masks(0, features),
            DecoderPredictor(own, adapter).masks(0, features),
        )


def test_a_stroke_is_heard_on_its_frame_and_carried_to_the_others() -> None:
    features, decoder, W = random_features(3), trained(), random_W(2)

    def scores(strokes: Samples, clip: str = "shot") -> npt.NDArray[np.float32]:
        adapter = adapter_of(W, (0, 1), strokes, clip)
        return DecoderPredictor(
            DecoderClip(clip_of(features), TorchNetworks(decoder)), adapter
        ).scores(0, features)

    nothing = scores(Samples.empty())
    one, two = scores(strokes_on((1, 20, 30, 1, 1))), scores(strokes_on((1, 20, 30, 0, 1)))
    for t in range(3):
        assert np.abs(one[t] - nothing[t]).max() > 1e-3, t
        assert np.abs(one[t] - two[t]).max() > 1e-4, "on what it was drawn matters"
    elsewhere = scores(strokes_on((1, 20, 30, 1, 1)), clip="another")
    np.testing.assert_array_equal(elsewhere, nothing)


def test_strokes_lie_where_they_were_drawn() -> None:
    features = random_features(2)
    strokes = strokes_on((1, 20, 30, 4, 1), (1, 80, 90, 0, 1), (1, 20, 60, 9, 2))
    adapter = adapter_of(random_W(3), (0, 4, 9), strokes)
    decoding = DecoderPredictor(DecoderClip(clip_of(features), shipped()), adapter)
    background, four, nine = decoding._stroke_maps(1)
    assert four[7:9, 5:9].any() and four.sum() == four[7:9, 5:10].sum() >= 4
    assert background[22:24, 20:24].any() and nine[15, 5:9].all()
    assert not decoding._stroke_maps(0).any()


def test_annotated_frames_are_taken_in_the_order_of_their_rounds() -> None:
    features, decoder = random_features(9), trained()
    first, second = (5, 20, 30, 1, 1), (2, 20, 40, 1, 2)
    again = (5, 60, 50, 0, 3)

    def heard(*rows: tuple[int, int, int, int, int]) -> list[bool]:
        adapter = adapter_of(random_W(2), (0, 1), strokes_on(*rows))
        decoding = DecoderPredictor(DecoderClip(clip_of(features), TorchNetworks(decoder)), adapter)
        with torch.inference_mode():
            return [decoding.priors.of(t) is None for t in (2, 5)]

    assert heard(first, second) == heard(second, first) == heard(first, second, again)
    assert heard(first, second) == [False, True], "frame 5 came first and so hears nothing"
    swapped = [(*first[:4], 2), (*second[:4], 1)]
    assert heard(*swapped) == [True, False]


def test_a_training_can_follow_the_gradient_to_every_weight() -> None:
    """Through the carried labels, too, and after masks were made of the same clip."""
    features, decoder = random_features(4), trained()
    adapter = adapter_of(random_W(3), (0, 1, 2), strokes_on((0, 10, 20, 1, 1), (0, 60, 60, 2, 1)))
    DecoderPredictor(DecoderClip(clip_of(features), TorchNetworks(decoder)), adapter).masks(
        0, features
    )
    decoding = DecoderPredictor(
        DecoderClip(clip_of(features), TorchNetworks(decoder)), replace(adapter)
    )
    logits = torch.cat(list(decoding.logits(0, features)))
    assert logits.shape == (4, 2, *PYRAMID.levels[0].shape[:2])
    logits.square().mean().backward()  # type: ignore[no-untyped-call]
    for name, parameter in decoder.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.any())
        assert reached != name.startswith("presence."), name
