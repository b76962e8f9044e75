"""The embedded backbone is the published network: it names what is on well-known photos, its
vertices lie where the pyramid says, and only its own weights load."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from vostool.backbones import efficientnet_lite0_file, load_backbone, weights_fingerprint
from vostool.backbones.efficientnet_lite import EfficientNetLite0, fold_batch_norms
from vostool.backbones.efficientnet_pyramid import LEVELS, EfficientNetLite0Pyramid
from vostool.backbones.state import load_state
from vostool.errors import VostoolError, WeightsError

CATS = range(281, 286)
COFFEE = {967, 968, 504}  # espresso, cup, coffee mug


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    network = EfficientNetLite0()
    load_state(network, efficientnet_lite0_file())
    return network.eval()


@pytest.fixture(scope="module")
def pyramid() -> EfficientNetLite0Pyramid:
    return EfficientNetLite0Pyramid(efficientnet_lite0_file(), torch.device("cpu"))


def best_class(network: EfficientNetLite0, photo: np.ndarray) -> int:
    height, width = photo.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = cv2.resize(photo[top : top + side, left : left + side], (224, 224))
    x = torch.from_numpy(square).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        return int(network((x - 127) / 128).argmax())


def test_it_sees_a_cat(network: EfficientNetLite0) -> None:
    assert best_class(network, data.chelsea()) in CATS


def test_it_sees_a_cup_of_coffee(network: EfficientNetLite0) -> None:
    assert best_class(network, data.coffee()) in COFFEE


@pytest.mark.parametrize("size", [(480, 854), (97, 131), (33, 32), (1, 1)])
def test_shapes_are_those_announced(
    pyramid: EfficientNetLite0Pyramid, size: tuple[int, int]
) -> None:
    features = pyramid.features(np.zeros((1, *size, 3), np.uint8))
    assert [f.shape[1:] for f in features] == [level.shape for level in pyramid.levels(*size)]


def test_folding_batch_norms_changes_nothing(network: EfficientNetLite0) -> None:
    folded = EfficientNetLite0()
    load_state(folded, efficientnet_lite0_file())
    fold_batch_norms(folded.eval())
    x = torch.rand(1, 3, 65, 97) * 2 - 1
    with torch.no_grad():
        for plain, quick in zip(network.stages(x), folded.stages(x), strict=True):
            torch.testing.assert_close(plain, quick, atol=1e-3, rtol=1e-3)


def test_a_vertex_is_centred_on_its_pixel(network: EfficientNetLite0) -> None:
    """Mirroring the frame about pixel 32·k mirrors features about vertex k of stride 32."""
    weights = [m.weight for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    saved = [w.detach().clone() for w in weights]
    try:
        with torch.no_grad():
            for w in weights:  # make the filters symmetric, so that only the centring can differ
                w.copy_((w + w.flip(-1)) / 2)
            x = torch.rand(1, 3, 65, 32 * 6 + 1) * 2 - 1
            for plain, mirrored in zip(network.stages(x), network.stages(x.flip(-1)), strict=True):
                torch.testing.assert_close(plain, mirrored.flip(-1), atol=1e-3, rtol=1e-3)
    finally:
        with torch.no_grad():
            for w, was in zip(weights, saved, strict=True):
                w.copy_(was)


def test_features_have_length_one_a_stage(pyramid: EfficientNetLite0Pyramid) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (1, 96, 128, 3), np.uint8)
    for level, grid in zip(LEVELS, pyramid.features(frame), strict=True):
        squares = (grid.astype(np.float64) ** 2).sum(-1)
        np.testing.assert_allclose(squares, len(level.stages), rtol=5e-3)


def test_a_frame_does_not_depend_on_its_batch(pyramid: EfficientNetLite0Pyramid) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, 64, 96, 3), np.uint8)
    together, alone = pyramid.features(frames), pyramid.features(frames[1:2])
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a[1].astype(float), b[0].astype(float), atol=0.02)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda s: {k: v for k, v in s.items() if k != "_fc.bias"}, "missing"),
        (lambda s: {**s, "extra": torch.zeros(1)}, "unknown"),
        (lambda s: {**s, "_fc.bias": torch.zeros(3)}, "misshapen"),
    ],
)
def test_every_tensor_is_accounted_for(tmp_path: Path, spoil, word: str) -> None:  # type: ignore[no-untyped-def]
    state = torch.load(efficientnet_lite0_file(), weights_only=True)
    torch.save(spoil(state), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=word) as caught:
        load_state(EfficientNetLite0(), tmp_path / "w.pth")
    assert "w.pth" in str(caught.value)


def test_a_file_that_is_no_state_dict(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"not weights")
    with pytest.raises(WeightsError, match=r"w\.pth"):
        load_state(EfficientNetLite0(), tmp_path / "w.pth")


def test_unknown_backbone_names_those_there_are() -> None:
    with pytest.raises(VostoolError, match="efficientnet-lite0"):
        load_backbone("resnet", torch.device("cpu"))
    with pytest.raises(VostoolError, match="efficientnet-lite0"):
        weights_fingerprint("resnet")
