"""The default network without torch: the same features as in torch, bit for bit in any company."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.backbones.test_efficientnet_lite import picture
from vostool.backbones import DEFAULT, find_network, load_backbone
from vostool.backbones.compiled import CompiledBackbone
from vostool.backbones.efficientnet_lite import ARCHITECTURE, EfficientNetLite0
from vostool.backbones.efficientnet_lite_compiled import TENSORS, compiled
from vostool.backbones.network import efficientnet_lite0_file
from vostool.checkpoints import write_weights
from vostool.pyramid import FloatArray

ROUNDING = 1e-3
"""Of numbers in -1..1 in half floats, twice."""


def in_torch(network: EfficientNetLite0, frames: np.ndarray) -> list[FloatArray]:
    """The levels of some frames, in 32 bits."""
    with torch.inference_mode():
        stages = network.stages(ARCHITECTURE.normalise(torch.from_numpy(frames)))
        return [level.numpy() for level in ARCHITECTURE.pyramid(stages)]


def untrained() -> EfficientNetLite0:
    """A network whose batch norms, too, have a say."""
    network = ARCHITECTURE.loaded(None).eval()
    assert isinstance(network, EfficientNetLite0)
    random = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2, generator=random)
        elif tensor.dim() == 1:
            tensor.normal_(generator=random)
    return network


UNTRAINED = untrained()
OURS = compiled({name: tensor.numpy() for name, tensor in UNTRAINED.state_dict().items()})


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 130), st.integers(1, 130), st.integers(1, 3))
def test_features_are_those_of_torch_at_every_size(height: int, width: int, count: int) -> None:
    random = np.random.default_rng(height * width)
    frames = random.integers(0, 256, (count, height, width, 3)).astype(np.uint8)
    expected, found = in_torch(UNTRAINED, frames), OURS.features(frames)
    levels = OURS.levels(height, width)
    assert levels == ARCHITECTURE.levels(height, width)
    for level, one, other in zip(levels, expected, found, strict=True):
        assert other.dtype == np.float16 and other.shape == (count, *level.shape)
        np.testing.assert_allclose(other, one, atol=ROUNDING)


def test_a_pictures_features_are_those_of_torch_but_for_rounding() -> None:
    """By the published weights: nine in ten numbers are the same half float, others the next."""
    network = ARCHITECTURE.loaded(efficientnet_lite0_file()).eval()
    assert isinstance(network, EfficientNetLite0)
    frames = picture("chelsea")[None]
    found = load_backbone(DEFAULT).features(frames)
    for one, other in zip(in_torch(network, frames), found, strict=True):
        np.testing.assert_allclose(other, one, atol=ROUNDING)
        assert (one.astype(np.float16) == other).mean() > 0.9


def test_a_black_frame_has_features_that_are_finite() -> None:
    """A stage of zeros has no direction; it stays zero."""
    weights = {name: np.zeros(shape, np.float32) for name, shape in TENSORS.items()}
    for level in compiled(weights).features(np.zeros((1, 40, 40, 3), np.uint8)):
        assert not level.any()


def test_its_tensors_are_the_networks() -> None:
    shapes = {name: tuple(t.shape) for name, t in EfficientNetLite0().state_dict().items()}
    assert shapes == TENSORS


def test_a_frame_alone_has_the_features_it_has_in_a_batch() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 40, 70, 3)).astype(np.uint8)
    together = OURS.features(frames)
    for n, frame in enumerate(frames):
        for one, many in zip(OURS.features(frame[None]), together, strict=True):
            np.testing.assert_array_equal(one[0], many[n])


def test_many_threads_give_the_same_features(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import numpy as np; from vostool.backbones import load_backbone;"
        "frames = np.random.default_rng(0).integers(0, 256, (4, 64, 96, 3)).astype(np.uint8);"
        "features = load_backbone('efficientnet-lite0').features(frames);"
        "print([hash(level.tobytes()) for level in features])"
    )
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    answers = set()
    for count in ("1", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", count)
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        answers.add(done.stdout)
    assert len(answers) == 1


def test_a_cpu_takes_the_compiled_one(tmp_path: Path) -> None:
    """Whatever file its weights are in, and random ones too."""
    whole = find_network(DEFAULT).architecture.loaded(efficientnet_lite0_file())
    write_weights(tmp_path / "w.safetensors", whole.state_dict(), {})
    torch.save(whole.state_dict(), tmp_path / "w.pth")
    frame = picture("chelsea")[None, ::3, ::3]
    published, again, halved, random = (
        load_backbone(DEFAULT, "cpu", weights)
        for weights in (None, str(tmp_path / "w.pth"), str(tmp_path / "w.safetensors"), "random")
    )
    assert all(isinstance(one, CompiledBackbone) for one in (published, again, halved, random))
    assert published.engine.startswith("onnxruntime ") and published.precision == "float32"
    expected = published.features(frame)
    for one, same, near, far in zip(
        expected, again.features(frame), halved.features(frame), random.features(frame), strict=True
    ):
        np.testing.assert_array_equal(same, one)
        np.testing.assert_allclose(near, one, atol=0.02)
        assert np.abs(far - one).max() > 0.1
