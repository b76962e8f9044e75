"""Protects the default features: the network is the published one, with the published weights.

It must still name a cat, keep its geometry (vertex i of stride s is centred on pixel s·i), give a
frame the same features in any company, and refuse weights that are not its own, by name.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from skimage import data
from torch import Tensor, nn

from vostool.backbones import Backbone, find_network, load_backbone
from vostool.backbones.efficientnet_lite import ARCHITECTURE, EfficientNetLite0
from vostool.backbones.efficientnet_lite_compiled import COMPILABLE
from vostool.backbones.network import efficientnet_lite0_file
from vostool.backbones.torch_backbone import TorchBackbone
from vostool.checkpoints import load_weights
from vostool.errors import VostoolError, WeightsError

CPU = torch.device("cpu")
CATS = range(281, 286)  # tabby, tiger, Persian, Siamese, Egyptian
CUPS = (504, 967, 968)  # coffee mug, espresso, cup
STRIDES = (2, 4, 8, 16, 16, 32, 32)
CHANNELS = (16, 24, 40, 80, 112, 192, 320)


def published() -> EfficientNetLite0:
    network = EfficientNetLite0(classes=True)
    load_weights(network, efficientnet_lite0_file())
    return network.eval()


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    return published()


def on_torch(file: Path) -> Backbone:
    return TorchBackbone(ARCHITECTURE, file, CPU)


@pytest.fixture(scope="module", params=[on_torch, COMPILABLE.loaded], ids=["torch", "compiled"])
def load(request: pytest.FixtureRequest) -> Callable[[Path], Backbone]:
    """Each way in which the network runs on a CPU, by a file of weights."""
    found: Callable[[Path], Backbone] = request.param
    return found


@pytest.fixture(scope="module")
def pyramid(load: Callable[[Path], Backbone]) -> Backbone:
    return load(efficientnet_lite0_file())


@pytest.fixture(scope="module")
def cat() -> npt.NDArray[np.uint8]:
    """(224, 224, 3): the middle of a picture."""
    return centre(picture("chelsea"))


def centre(image: npt.NDArray[np.uint8], side: int = 224) -> npt.NDArray[np.uint8]:
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def picture(name: str) -> npt.NDArray[np.uint8]:
    """One of scikit-image's."""
    image: npt.NDArray[np.uint8] = getattr(data, name)()
    return image


def as_input(image: npt.NDArray[np.uint8]) -> Tensor:
    return ((torch.tensor(image).float() - 127) / 128).permute(2, 0, 1)[None]


@pytest.mark.parametrize(("name", "classes"), [("chelsea", CATS), ("coffee", CUPS)])
@torch.inference_mode()
def test_names_what_a_picture_shows(
    network: EfficientNetLite0, name: str, classes: tuple[int, ...]
) -> None:
    logits = network(as_input(centre(picture(name))))
    assert int(logits.argmax()) in classes


@pytest.mark.parametrize(("height", "width"), [(64, 96), (65, 97), (33, 31), (95, 127), (1, 1)])
@torch.inference_mode()
def test_a_stage_has_a_vertex_for_each_stride_begun(
    network: EfficientNetLite0, height: int, width: int
) -> None:
    stages = network.stages(torch.zeros(1, 3, height, width))
    shapes = [tuple(stage.shape[1:]) for stage in stages]
    assert shapes == [
        (c, -(-height // s), -(-width // s)) for c, s in zip(CHANNELS, STRIDES, strict=True)
    ]


@torch.inference_mode()
def test_folding_batch_norms_changes_nothing(
    network: EfficientNetLite0, cat: npt.NDArray[np.uint8]
) -> None:
    folded = published()
    folded.fold_batch_norms()
    assert not [m for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]
    x = as_input(cat)
    for before, after in zip(network.stages(x), folded.stages(x), strict=True):
        scale = float(before.abs().max())
        torch.testing.assert_close(after, before, rtol=0, atol=1e-4 * scale)


@torch.inference_mode()
def test_a_shift_by_the_coarsest_stride_shifts_every_stage_by_whole_vertices(
    network: EfficientNetLite0,
) -> None:
    wide = as_input(np.ascontiguousarray(picture("chelsea")[:224, :448]))
    here, there = wide[..., :320], wide[..., 32:352]
    for stride, a, b in zip(STRIDES, network.stages(here), network.stages(there), strict=True):
        step = 32 // stride
        inside = slice(5 * step, 6 * step)  # out of reach of most of the border's padding
        a, b = a[..., 3 * step, :], b[..., 3 * step, :]
        moved = b[..., inside.start - step : inside.stop - step]
        apart = float((a[..., inside] - moved).norm() / a[..., inside].norm())
        unmoved = float((a[..., inside] - b[..., inside]).norm() / a[..., inside].norm())
        assert apart < 0.15
        assert unmoved > 2 * apart


@torch.inference_mode()
def test_vertices_are_centred_on_multiples_of_the_stride(network: EfficientNetLite0) -> None:
    """A mirrored frame of s·n + 1 pixels gives mirrored features only if vertices are centred."""
    rows = torch.linspace(-1, 1, 129)
    x = (rows[:, None] * rows[None, :]).abs().expand(1, 3, -1, -1)
    mirrored_network = published()
    for module in mirrored_network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.flip(-1)
    there = mirrored_network.stages(x.flip(-1))
    for here, mirrored in zip(network.stages(x), there, strict=True):
        torch.testing.assert_close(mirrored.flip(-1), here, rtol=0, atol=1e-3)


def test_levels_tell_the_shapes_of_the_features(pyramid: Backbone) -> None:
    frames = np.zeros((2, 65, 97, 3), np.uint8)
    levels, features = pyramid.levels(65, 97), pyramid.features(frames)
    assert [f.shape for f in features] == [(2, *level.shape) for level in levels]
    assert [level.stride for level in levels] == [4, 8, 16, 32]
    assert all(f.dtype == np.float16 for f in features)


def test_each_stage_of_a_vertex_has_unit_length(
    pyramid: Backbone, cat: npt.NDArray[np.uint8]
) -> None:
    for level, grid in zip(ARCHITECTURE.shapes, pyramid.features(cat[None]), strict=True):
        first = 0
        for stage in level.stages:
            part = grid[..., first : first + CHANNELS[stage]].astype(np.float32)
            np.testing.assert_allclose(np.linalg.norm(part, axis=-1), 1, atol=2e-3)
            first += CHANNELS[stage]
        assert first == grid.shape[-1]


def test_a_frame_alone_has_the_features_it_has_in_a_batch(
    pyramid: Backbone, cat: npt.NDArray[np.uint8]
) -> None:
    alone = pyramid.features(cat[None])
    batch = pyramid.features(np.stack([cat[::-1], cat, np.zeros_like(cat)]))
    tolerance = 1e-3 if pyramid.precision == "float32" else 2e-2
    for one, many in zip(alone, batch, strict=True):
        np.testing.assert_allclose(one[0], many[1], atol=tolerance)


def test_the_same_frame_has_the_same_features_twice(
    pyramid: Backbone, cat: npt.NDArray[np.uint8]
) -> None:
    for once, again in zip(pyramid.features(cat[None]), pyramid.features(cat[None]), strict=True):
        assert np.array_equal(once, again)


def test_fast_arithmetic_is_close_to_exact(
    network: EfficientNetLite0, pyramid: Backbone, cat: npt.NDArray[np.uint8]
) -> None:
    with torch.inference_mode():
        stage = network.stages(as_input(cat))[4][0]
    exact = nn.functional.normalize(stage, dim=0).permute(1, 2, 0).numpy()
    stored = pyramid.features(cat[None])[2][0, ..., 80:].astype(np.float32)
    assert float((exact * stored).sum(-1).min()) > 0.99  # cosine of the angle between them


class Trap:
    """Unpickling it would make a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def state() -> dict[str, Tensor]:
    read: dict[str, Tensor] = torch.load(efficientnet_lite0_file(), weights_only=True)
    return read


def lacking(state: dict[str, Tensor]) -> dict[str, Tensor]:
    del state["_blocks.3._bn1.weight"]
    return state


def with_one_more(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**state, "_se_reduce.weight": torch.zeros(1)}


def misshapen(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**state, "_bn0.bias": torch.zeros(10)}


def of_another_network(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"layer1.0.conv1.weight": torch.zeros(64, 3, 7, 7)}


def a_bare_tensor(state: dict[str, Tensor]) -> Tensor:
    return torch.zeros(3)


def a_list(state: dict[str, Tensor]) -> list[Tensor]:
    return [torch.zeros(3)]


def without_tensors(state: dict[str, Tensor]) -> dict[str, Any]:
    return {**state, "_bn0.bias": 5}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lacking, "_blocks.3._bn1.weight"),
        (with_one_more, "_se_reduce.weight"),
        (misshapen, "_bn0.bias"),
        (of_another_network, "layer1.0.conv1.weight"),
        (a_bare_tensor, "state dict"),
        (a_list, "state dict"),
        (without_tensors, "_bn0.bias"),
    ],
)
def test_weights_that_are_not_its_own_are_refused_by_name(
    tmp_path: Path,
    load: Callable[[Path], Backbone],
    change: Callable[[dict[str, Tensor]], Any],
    told: str,
) -> None:
    file = tmp_path / "weights.pth"
    torch.save(change(state()), file)
    with pytest.raises(WeightsError) as caught:
        load(file)
    assert str(file) in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_without_step_counters_are_whole(
    tmp_path: Path, load: Callable[[Path], Backbone]
) -> None:
    kept = {k: v for k, v in state().items() if not k.endswith("num_batches_tracked")}
    torch.save(kept, tmp_path / "weights.pth")
    load(tmp_path / "weights.pth")


def test_code_in_a_pickle_is_refused_and_not_run(
    tmp_path: Path, load: Callable[[Path], Backbone]
) -> None:
    file, sprung = tmp_path / "weights.pth", tmp_path / "sprung"
    for save in (torch.save, lambda trap, file: file.write_bytes(pickle.dumps(trap, 2))):
        save({"_bn0.bias": Trap(sprung)}, file)
        with pytest.raises(WeightsError, match=r"weights\.pth: not a readable state dict"):
            load(file)
        assert not sprung.exists()


@pytest.mark.parametrize("length", [0, 1, 1000, -1000])
def test_a_broken_file_is_refused(
    tmp_path: Path, load: Callable[[Path], Backbone], length: int
) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(efficientnet_lite0_file().read_bytes()[:length])
    with pytest.raises(WeightsError, match=r"weights\.pth"):
        load(file)


def test_garbage_and_a_missing_file_are_refused(
    tmp_path: Path, load: Callable[[Path], Backbone]
) -> None:
    (tmp_path / "garbage.pth").write_bytes(np.random.default_rng(0).bytes(5000))
    for name in ("garbage.pth", "missing.pth"):
        with pytest.raises(WeightsError, match=name):
            load(tmp_path / name)


def test_an_unknown_backbone_is_refused_with_the_known_ones() -> None:
    asks: tuple[Callable[[str], object], ...] = (
        find_network,
        load_backbone,
    )
    for ask in asks:
        with pytest.raises(VostoolError, match=r"resnet50.*efficientnet-lite0"):
            ask("resnet50")


def test_the_registry_knows_the_default_backbone_by_its_weights() -> None:
    assert len(find_network("efficientnet-lite0").fingerprint()) == 64
