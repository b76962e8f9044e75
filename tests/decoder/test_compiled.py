"""The decoder without torch answers as in torch: the same logits, and masks but for ties."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decoder.clips import PYRAMID, adapter_of, clip_of, random_features, strokes_on
from vostool.checkpoints import load_weights
from vostool.decoder import WEIGHTS, shape
from vostool.decoder.clip import DecoderClip
from vostool.decoder.compiled import CompiledNetworks, compiled
from vostool.decoder.network import Decoder
from vostool.decoder.networks import Inputs
from vostool.decoder.predictor import DecoderPredictor
from vostool.decoder.torch_networks import TorchNetworks
from vostool.onnx_graph import threads
from vostool.weights import find_weights

CHANNELS = (3, 4, 5, 6)


def both_ways(channels: tuple[int, ...] = CHANNELS) -> tuple[TorchNetworks, CompiledNetworks]:
    """Weights that are nobody's, so that every part has a say."""
    torch.manual_seed(0)
    decoder = Decoder(channels).eval()
    for module in decoder.modules():
        if isinstance(module, torch.nn.Conv2d) and not module.weight.any():
            torch.nn.init.normal_(module.weight, std=0.1)
    weights = {name: tensor.numpy() for name, tensor in decoder.state_dict().items()}
    return TorchNetworks(decoder, mixed=False), CompiledNetworks(weights)


def inputs(height: int, width: int, objects: int, frames: int = 2) -> Inputs[np.ndarray]:
    """Of a picture of a size, in the network's pixels."""
    random = np.random.default_rng(height * width)
    grids = [(-(-height // stride), -(-width // stride)) for stride in (4, 8, 16, 32)]
    priors = random.dirichlet(np.ones(objects + 1), size=(frames, *grids[2])).astype(np.float32)
    return Inputs(
        [
            random.normal(size=(frames, *grid, channels)).astype(np.float16)
            for grid, channels in zip(grids, CHANNELS, strict=True)
        ],
        random.normal(size=(frames, objects, *grids[0])).astype(np.float32),
        [None, *np.moveaxis(priors, 3, 1)[1:]],
        (random.random((frames, objects + 1, *grids[0])) < 0.05).astype(np.float32),
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 3), st.booleans())
@torch.inference_mode()
def test_logits_are_those_of_torch(height: int, width: int, objects: int, everywhere: bool) -> None:
    """Of every size of frame, and in the same windows."""
    in_torch, without = both_ways()
    given = inputs(height, width, objects)
    tensors = [None if prior is None else torch.from_numpy(prior) for prior in given.priors]
    theirs = Inputs(given.features, given.scores, tensors, given.strokes)
    expected = in_torch.decode(theirs, everywhere=everywhere).numpy()
    found = without.decode(given, everywhere=everywhere)
    assert found.shape == expected.shape and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-3, rtol=1e-4)
    assert ((found == shape.ABSENT) == (expected == shape.ABSENT)).all()


@pytest.mark.parametrize("objects", [1, 3])
def test_masks_of_a_clip_are_those_of_torch_but_for_ties(objects: int) -> None:
    """By the shipped weights in float32, with strokes, and labels carried both ways."""
    features = random_features(7)
    random = np.random.default_rng(2)
    adapter = adapter_of(
        random.normal(size=(PYRAMID.channels, objects + 1)),
        tuple(range(objects + 1)),
        strokes_on((2, 20, 30, 1, 1), (5, 60, 60, objects, 2), (5, 20, 80, 0, 2)),
    )
    decoder = Decoder([level.shape[2] for level in PYRAMID.levels]).eval()
    weights = find_weights(WEIGHTS)
    load_weights(decoder, weights)
    reader = clip_of(features)
    in_torch = DecoderPredictor(DecoderClip(reader, TorchNetworks(decoder, mixed=False)), adapter)
    without = DecoderPredictor(DecoderClip(reader, compiled(weights)), adapter)
    scores = [in_torch.scores(0, features), without.scores(0, features)]
    masks = [in_torch.masks(0, features), without.masks(0, features)]
    np.testing.assert_allclose(scores[1], scores[0], atol=2e-3)
    every = np.concatenate([np.zeros_like(scores[0][:, :1]), scores[0]], axis=1)
    best, second = np.sort(every, axis=1)[:, :-3:-1].swapaxes(0, 1)
    sure = best - second > 4e-3
    assert sure.mean() > 0.98
    assert (masks[0] == masks[1])[sure].all()


def test_many_threads_make_the_same_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import numpy as np; from tests.decoder.clips import *; from vostool.weights import *;"
        "from vostool.decoder.clip import *; from vostool.decoder.compiled import *;"
        "from vostool.decoder.predictor import *; features = random_features(9);"
        "W = np.random.default_rng(0).normal(size=(PYRAMID.channels, 3));"
        "adapter = adapter_of(W, (0, 1, 2), strokes_on((2, 20, 30, 1, 1)));"
        "clip = DecoderClip(clip_of(features), compiled(find_weights('decoder')));"
        "print(hash(DecoderPredictor(clip, adapter).masks(0, features).tobytes()))"
    )
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    answers = set()
    for count in ("1", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", count)
        assert threads() == int(count)
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        answers.add(done.stdout)
    assert len(answers) == 1
