"""Protects the paper's two networks: their layouts are the published ones, and so are their maps.

Real weights are for users to fetch. Here are lists of the names and shapes of the public files, and
an independent implementation that reads those names; a file of random tensors in each public format
must load completely, and give at every layer what the independent one gives.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.backbones.independent import resnet101, xception65_deeplab
from tests.backbones.layouts import random_tensors, read_layout
from tests.tf_checkpoints import write_bundle
from vostool.backbones import BACKBONES, find_network, load_backbone
from vostool.backbones.architecture import FeatureExtractor
from vostool.checkpoints import load_weights, match_state_dict, read_tensors
from vostool.errors import WeightsError

RESNET, XCEPTION = "deeplabv2-resnet101", "deeplabv3plus-xception65"
CPU = torch.device("cpu")


def loaded(name: str, file: Path) -> FeatureExtractor:
    return find_network(name).architecture.loaded(file).eval()


def saved(layout: str, file: Path) -> dict[str, Tensor]:
    tensors = random_tensors(read_layout(layout))
    torch.save(tensors, file)
    return tensors


@pytest.mark.parametrize(
    ("layout", "left_out"),
    [
        ("deeplabv2-resnet101.coco", 2),
        ("deeplabv2-resnet101.multiscale", 8),
        ("deeplabv2-resnet101.scale", 8),
    ],
)
def test_resnets_public_files_load_completely(layout: str, left_out: int, tmp_path: Path) -> None:
    shapes = read_layout(layout)
    network = find_network(RESNET).architecture.build()
    tensors = {name: torch.zeros(shape) for name, shape in shapes.items()}
    report = match_state_dict(network, tensors, find_network(RESNET).architecture.rename)
    assert report.whole, str(report)
    assert len(report.left_out) == left_out
    counted = [name for name in network.state_dict() if not name.endswith("num_batches_tracked")]
    assert set(report.fitting) >= set(counted)


@pytest.mark.parametrize("wrapped", ["", "module."])
def test_the_three_resnet_files_are_one_network(tmp_path: Path, wrapped: str) -> None:
    plain = saved("deeplabv2-resnet101.coco", tmp_path / "coco.pth")
    prefixed = {f"{wrapped}base.{name}": tensor for name, tensor in plain.items()}
    torch.save({"state_dict": prefixed, "epoch": 3}, tmp_path / "msc.pth")
    first, second = (loaded(RESNET, tmp_path / f"{name}.pth") for name in ("coco", "msc"))
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


def test_the_scale_ports_blocks_go_where_they_belong() -> None:
    rename = find_network(RESNET).architecture.rename
    for theirs, ours in (
        ("Scale.conv1.weight", "layer1.conv1.conv.weight"),
        ("Scale.bn1.running_var", "layer1.conv1.bn.running_var"),
        ("Scale.layer1.0.downsample.1.bias", "layer2.block1.shortcut.bn.bias"),
        ("Scale.layer3.22.conv2.weight", "layer4.block23.conv3x3.conv.weight"),
        ("Scale.layer4.2.bn3.weight", "layer5.block3.increase.bn.weight"),
        ("Scale.layer5.conv2d_list.3.bias", None),
    ):
        assert rename(theirs) == ours


@torch.inference_mode()
def test_resnet_is_the_independent_one_at_every_layer(tmp_path: Path) -> None:
    tensors = saved("deeplabv2-resnet101.coco", tmp_path / "w.pth")
    network = loaded(RESNET, tmp_path / "w.pth")
    x = torch.randn(1, 3, 65, 97, generator=torch.Generator().manual_seed(1))
    expected = resnet101(x, tensors)
    for number, wanted in enumerate(expected, 1):
        x = network.get_submodule(f"layer{number}")(x)
        torch.testing.assert_close(x, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))


def test_xceptions_checkpoint_loads_completely_in_both_formats(tmp_path: Path) -> None:
    tensors = random_tensors(read_layout("deeplabv3plus-xception65.tensorflow"))
    index = write_bundle(tmp_path / "model.ckpt", {n: t.numpy() for n, t in tensors.items()})
    architecture = find_network(XCEPTION).architecture
    report = match_state_dict(architecture.build(), read_tensors(index), architecture.rename)
    assert report.whole, str(report)
    assert report.left_out == ["global_step", "logits/semantic/biases", "logits/semantic/weights"]
    network = loaded(XCEPTION, index)

    # The same in torch's words, its encoder by the model library's names.
    encoder = read_layout("xception65.library")
    rename = architecture.rename
    state = network.state_dict()
    theirs = {name: state[ours] for name in encoder if (ours := rename(name)) is not None}
    assert all(tuple(theirs[name].shape) == encoder[name] for name in theirs)
    head = {n: t for n, t in state.items() if not n.startswith("xception_65.")}
    torch.save({**theirs, **head}, tmp_path / "w.pth")
    again = loaded(XCEPTION, tmp_path / "w.pth")
    for name, tensor in state.items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_an_encoder_alone_is_told(tmp_path: Path) -> None:
    saved("xception65.library", tmp_path / "encoder.pth")
    with pytest.raises(WeightsError, match=r"missing tensors \(aspp\.aspp0"):
        loaded(XCEPTION, tmp_path / "encoder.pth")


@torch.inference_mode()
def test_xception_is_the_independent_one_at_every_part(tmp_path: Path) -> None:
    tensors = random_tensors(read_layout("deeplabv3plus-xception65.tensorflow"))
    index = write_bundle(tmp_path / "model.ckpt", {n: t.numpy() for n, t in tensors.items()})
    network = loaded(XCEPTION, index)
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: object, given: object, output: Tensor) -> None:
            found[name] = output

        return hook

    for name, module in (
        ("entry", "xception_65.entry.2"),
        ("middle", "xception_65.middle.15"),
        ("encoded", "xception_65.exit.1"),
        ("aspp", "aspp"),
        ("decoder", "decoder"),
    ):
        network.get_submodule(module).register_forward_hook(keep(name))
    # 16 n + 1 pixels a side: there TensorFlow's way of bringing ASPP up is this one's.
    x = torch.randn(1, 3, 65, 97, generator=torch.Generator().manual_seed(1))
    (features,) = network.stages(x)
    expected = xception65_deeplab(x, tensors)
    for name, output in found.items():
        wanted = expected[name]
        tolerance = 1e-4 * float(wanted.abs().max())
        torch.testing.assert_close(output, wanted, rtol=1e-3, atol=tolerance, msg=name)
    torch.testing.assert_close(features, found["decoder"])


@torch.inference_mode()
@pytest.mark.parametrize("name", [RESNET, XCEPTION])
@pytest.mark.parametrize("size", [(64, 96), (65, 97), (50, 71), (1, 1)])
def test_levels_tell_the_shapes_of_the_features(name: str, size: tuple[int, int]) -> None:
    architecture = find_network(name).architecture
    stages = architecture.loaded(None).eval().stages(torch.zeros(1, 3, *size))
    levels = architecture.pyramid(stages)
    assert [tuple(level.shape[1:]) for level in levels] == [
        level.shape for level in architecture.levels(*size)
    ]


@torch.inference_mode()
@pytest.mark.parametrize("name", [RESNET, XCEPTION])
def test_vertices_are_centred_on_multiples_of_the_stride(name: str) -> None:
    """A mirrored frame of s·n + 1 pixels gives mirrored features only if vertices are centred."""
    architecture = find_network(name).architecture
    network, other = (architecture.loaded(None).eval() for _ in range(2))
    for module in other.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.data = module.weight.data.flip(-1)
    x = torch.randn(1, 3, 65, 97, generator=torch.Generator().manual_seed(0))
    (here,), (there,) = network.stages(x), other.stages(x.flip(-1))
    scale = float(here.abs().max())
    torch.testing.assert_close(there.flip(-1), here, rtol=0, atol=1e-3 * scale)


@torch.inference_mode()
@pytest.mark.parametrize("name", [RESNET, XCEPTION])
def test_folding_batch_norms_changes_nothing(name: str) -> None:
    architecture = find_network(name).architecture
    network, folded = (architecture.loaded(None).eval() for _ in range(2))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.mul_(1.5)  # type: ignore[union-attr]
    folded.load_state_dict(network.state_dict())
    folded.fold_batch_norms()
    assert not [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    (before,), (after,) = network.stages(x), folded.stages(x)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3 * float(before.abs().max()))


def test_blue_comes_first_for_caffes_network_and_its_mean_is_zero() -> None:
    frame = torch.tensor([[[[122.675, 116.669, 104.008], [132.675, 116.669, 104.008]]]])
    given = find_network(RESNET).architecture.normalise(frame)
    torch.testing.assert_close(given[0, :, 0, 0], torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(given[0, :, 0, 1], torch.tensor([0.0, 0.0, 10.0]), atol=1e-4, rtol=0)
    white = torch.full((1, 1, 1, 3), 255)
    torch.testing.assert_close(
        find_network(XCEPTION).architecture.normalise(white), torch.ones(1, 3, 1, 1)
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.pop("layer4.block7.conv3x3.conv.weight"), "1 missing tensors"),
        (lambda t: t.update({"layer9.weight": torch.zeros(1)}), "1 unknown tensors"),
        (lambda t: t.update({"layer1.conv1.bn.bias": torch.zeros(1)}), "1 misshapen tensors"),
    ],
)
def test_a_tensor_that_is_not_accounted_for_is_named(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], object], told: str
) -> None:
    layout = read_layout("deeplabv2-resnet101.coco")
    tensors = {name: torch.zeros(shape, dtype=torch.float16) for name, shape in layout.items()}
    change(tensors)
    torch.save(tensors, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=told) as caught:
        network = find_network(RESNET).architecture
        load_weights(network.build(), tmp_path / "w.pth", network.rename)
    assert "\n" not in str(caught.value)


def test_random_weights_are_always_the_same() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (2, 48, 64, 3)).astype(np.uint8)
    for name in BACKBONES:
        once, again = (load_backbone(name, "cpu", "random").features(frames) for _ in range(2))
        for a, b in zip(once, again, strict=True):
            np.testing.assert_array_equal(a, b)
            assert np.isfinite(a).all() and a.std() > 0


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "stride", "field"),
    [
        # 1, and for each kernel wider than 1: (k - 1) · dilation · the stride that it works at.
        (RESNET, 8, 1 + 6 + 2 * 2 + 3 * 2 * 4 + 4 * 2 * 8 + 23 * 2 * 2 * 8 + 3 * 2 * 4 * 8),
        (
            XCEPTION,
            16,
            (1 + 2 + 2 * 2 + 3 * 2 * 2 + 3 * 2 * 4 + 3 * 2 * 8)
            + (16 * 3 * 2 * 16 + 3 * 2 * 16 + 3 * 2 * 2 * 16),
        ),
    ],
)
def test_a_pixel_reaches_as_far_as_the_published_dilations_let_it(
    name: str, stride: int, field: int
) -> None:
    """Of the encoders: ASPP sees the whole frame."""
    network = find_network(name).architecture.loaded(None).eval().double()
    encode: Callable[[Tensor], Tensor] = (
        (lambda x: network.stages(x)[0])
        if name == RESNET
        else lambda x: network.get_submodule("xception_65")(x)[1]
    )
    reach = field // 2
    middle = stride * (reach // stride + 8)
    strip = torch.randn(1, 3, 1, 2 * middle + 1, dtype=torch.float64)
    touched = strip.clone()
    touched[..., middle] += 1
    changed = (encode(strip) != encode(touched)).any(dim=1).flatten().nonzero().flatten()
    far = (changed * stride - middle).abs().max().item()
    assert reach - 8 * stride < far <= reach
