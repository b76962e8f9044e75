"""RGMP is the published network: its checkpoint fits, and an independent reading agrees."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.backbones.independent import batch_norm
from tests.backbones.layouts import random_tensors, read_layout
from vostool import mask_propagation
from vostool.checkpoints import match_state_dict
from vostool.errors import WeightsError
from vostool.mask_propagation.rgmp import ARCHITECTURE, RGMP

LAYOUT = "rgmp-resnet50.public"


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    found = random_tensors(read_layout(LAYOUT))
    for name in found:  # deep and without a norm: keep it small
        if "Decoder" in name and name.endswith("bias"):
            found[name] = found[name] * 0.1
    return found


@pytest.fixture(scope="module")
def file(tensors: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As torch 0.3 wrote it: no zip file, no counters."""
    file = tmp_path_factory.mktemp("weights") / "weights.pth"
    torch.save(tensors, file, _use_new_zipfile_serialization=False)
    return file


def test_every_tensor_of_the_public_file_is_accounted_for(tensors: dict[str, Tensor]) -> None:
    report = match_state_dict(RGMP(), tensors, ARCHITECTURE.rename)
    assert report.whole and not report.left_out
    assert len(report.fitting) == len(tensors) == 319


def test_another_file_is_refused(tensors: dict[str, Tensor], tmp_path: Path) -> None:
    fewer = {name: tensor for name, tensor in tensors.items() if "RF3" not in name}
    torch.save(fewer, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"10 missing tensors \(Decoder.RF3"):
        ARCHITECTURE.loaded(tmp_path / "w.pth")


def independent(w: dict[str, Tensor], frames: Tensor, masks: Tensor) -> list[Tensor]:
    """The encoder from the paper's words and the file's names: strides 4, 8, 16, 32."""

    def conv(x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        name = f"module.Encoder.{name}"
        return F.conv2d(x, w[f"{name}.weight"], w.get(f"{name}.bias"), stride, padding)

    def norm(x: Tensor, name: str) -> Tensor:
        parts = ("running_mean", "running_var", "weight", "bias")
        return batch_norm(x, w, f"module.Encoder.{name}.", parts, 1e-5)

    x = (frames - w["module.Encoder.mean"]) / w["module.Encoder.std"]
    x = F.relu(norm(conv(x, "conv1", 2, 3) + conv(masks, "conv1_p", 2, 3), "bn1"))
    x = F.max_pool2d(x, 3, 2, 1)
    seen = []
    for layer, count in zip((2, 3, 4, 5), (3, 4, 6, 3), strict=True):
        for block in range(count):
            name, stride = f"res{layer}.{block}", 2 if block == 0 and layer > 2 else 1
            y = F.relu(norm(conv(x, f"{name}.conv1"), f"{name}.bn1"))
            y = F.relu(norm(conv(y, f"{name}.conv2", stride, 1), f"{name}.bn2"))
            y = norm(conv(y, f"{name}.conv3"), f"{name}.bn3")
            if block == 0:
                x = norm(conv(x, f"{name}.downsample.0", stride), f"{name}.downsample.1")
            x = F.relu(x + y)
        seen.append(x)
    return seen


def independent_decoder(w: dict[str, Tensor], seen: list[Tensor], reference: Tensor) -> Tensor:
    def conv(x: Tensor, name: str, padding: tuple[int, int] = (1, 1)) -> Tensor:
        name = f"module.Decoder.{name}"
        return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], 1, padding)

    def up(x: Tensor, factor: int) -> Tensor:
        size = [factor * side for side in x.shape[2:]]
        return F.interpolate(x, size, mode="bilinear", align_corners=True)

    x = torch.cat([seen[3], reference], dim=1)
    left = conv(conv(x, "GC.conv_l1", (3, 0)), "GC.conv_l2", (0, 3))
    right = conv(conv(x, "GC.conv_r1", (0, 3)), "GC.conv_r2", (3, 0))
    x = left + right
    x = x + conv(F.relu(conv(F.relu(x), "convG1")), "convG2")
    for number, level in ((4, seen[2]), (3, seen[1]), (2, seen[0])):
        s = conv(level, f"RF{number}.convFS1")
        s = s + conv(F.relu(conv(F.relu(s), f"RF{number}.convFS2")), f"RF{number}.convFS3")
        m = s + up(x, 2)
        x = m + conv(F.relu(conv(F.relu(m), f"RF{number}.convMM1")), f"RF{number}.convMM2")
    return up(conv(F.relu(x), "pred2"), 4)


@torch.inference_mode()
def test_an_independent_reading_gives_the_same(tensors: dict[str, Tensor], file: Path) -> None:
    network = ARCHITECTURE.loaded(file).eval()
    generator = torch.Generator().manual_seed(1)
    frames = torch.rand(2, 3, 64, 96, generator=generator)
    masks = torch.rand(2, 1, 64, 96, generator=generator)

    seen = network.encode(frames, masks)

    expected = independent(tensors, frames, masks)
    for ours, theirs in zip(seen, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))
    logits = network.decode([level[:1] for level in seen], seen[3][1:])
    theirs = independent_decoder(tensors, [level[:1] for level in expected], expected[3][1:])
    torch.testing.assert_close(logits[0], theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))
    assert [tuple(level.shape[1:]) for level in logits] == [
        (2, 64, 96), (2, 16, 24), (2, 8, 12), (2, 4, 6), (2, 2, 3),
    ]  # fmt: skip


def test_it_is_listed_with_its_source() -> None:
    network = mask_propagation.RGMP
    assert network.loadable is ARCHITECTURE and "seoungwugoh" in network.source
