"""The networks once more, as plain functions of the public files' tensors.

Written from the public descriptions, not from the package: a name in the file leads to a
convolution here, so that a tensor that goes to the wrong layer there shows.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

Tensors = dict[str, Tensor]


def batch_norm(
    x: Tensor, w: Tensors, prefix: str, names: tuple[str, str, str, str], eps: float
) -> Tensor:
    """By a file's mean, variance, gain and offset, whose names begin with a prefix."""
    mean, variance, gain, offset = (w[f"{prefix}{name}"] for name in names)
    return F.batch_norm(x, mean, variance, gain, offset, eps=eps)


def resnet101(x: Tensor, w: Tensors, prefix: str = "") -> list[Tensor]:
    """After conv1 and pooling, and after each of the four layers; names as in ``layers``."""

    def unit(x: Tensor, name: str, stride: int = 1, padding: int = 0, dilation: int = 1) -> Tensor:
        x = F.conv2d(x, w[f"{name}.conv.weight"], None, stride, padding, dilation)
        return batch_norm(
            x, w, f"{name}.bn.", ("running_mean", "running_var", "weight", "bias"), 1e-5
        )

    x = F.relu(unit(x, f"{prefix}layer1.conv1", 2, 3))
    x = F.max_pool2d(x, 3, 2, 1, ceil_mode=True)
    after = [x]
    for layer, count, stride, dilation in ((2, 3, 1, 1), (3, 4, 2, 1), (4, 23, 1, 2), (5, 3, 1, 4)):
        for block in range(1, count + 1):
            name = f"{prefix}layer{layer}.block{block}"
            s = stride if block == 1 else 1
            inner = F.relu(unit(x, f"{name}.reduce", s))
            inner = F.relu(unit(inner, f"{name}.conv3x3", 1, dilation, dilation))
            inner = unit(inner, f"{name}.increase")
            x = F.relu(inner + (unit(x, f"{name}.shortcut", s) if block == 1 else x))
        after.append(x)
    return after


def xception65_deeplab(x: Tensor, w: Tensors) -> dict[str, Tensor]:
    """What each part puts out; names and layouts as in TensorFlow's checkpoint."""

    def norm(x: Tensor, scope: str, eps: float) -> Tensor:
        names = ("moving_mean", "moving_variance", "gamma", "beta")
        return batch_norm(x, w, f"{scope}/BatchNorm/", names, eps)

    def conv(x: Tensor, scope: str, eps: float, stride: int = 1) -> Tensor:
        kernel = torch.from_numpy(w[f"{scope}/weights"].numpy().transpose(3, 2, 0, 1).copy())
        return norm(F.conv2d(x, kernel, None, stride, kernel.shape[-1] // 2), scope, eps)

    def separable(
        x: Tensor, scope: str, eps: float, relu: bool, stride: int = 1, rate: int = 1
    ) -> Tensor:
        kernel = w[f"{scope}_depthwise/depthwise_weights"].numpy().transpose(2, 3, 0, 1).copy()
        x = F.pad(x, (rate, rate, rate, rate))
        x = F.conv2d(x, torch.from_numpy(kernel), None, stride, 0, rate, groups=x.shape[1])
        x = norm(x, f"{scope}_depthwise", eps)
        x = conv(F.relu(x) if relu else x, f"{scope}_pointwise", eps)
        return F.relu(x) if relu else x

    def module(
        x: Tensor, scope: str, skip: str, stride: int = 1, rate: int = 1, relu: bool = False
    ) -> tuple[Tensor, Tensor]:
        scope = f"xception_65/{scope}/xception_module"
        inner, second = x, x
        for n in (1, 2, 3):
            inner = separable(
                inner if relu else F.relu(inner),
                *(f"{scope}/separable_conv{n}", 1e-3, relu),
                stride=stride if n == 3 else 1,
                rate=rate,
            )
            second = inner if n == 2 else second
        if skip == "conv":
            inner = inner + conv(x, f"{scope}/shortcut", 1e-3, stride)
        return (inner + x if skip == "sum" else inner), second

    x = F.relu(conv(x, "xception_65/entry_flow/conv1_1", 1e-3, 2))
    x = F.relu(conv(x, "xception_65/entry_flow/conv1_2", 1e-3))
    x, _ = module(x, "entry_flow/block1/unit_1", "conv", 2)
    x, skip = module(x, "entry_flow/block2/unit_1", "conv", 2)
    x, _ = module(x, "entry_flow/block3/unit_1", "conv", 2)
    entry = x
    for unit in range(1, 17):
        x, _ = module(x, f"middle_flow/block1/unit_{unit}", "sum")
    middle = x
    x, _ = module(x, "exit_flow/block1/unit_1", "conv")
    x, _ = module(x, "exit_flow/block2/unit_1", "none", rate=2, relu=True)
    encoded = x
    pooled = F.relu(conv(x.mean((2, 3), keepdim=True), "image_pooling", 1e-5))
    branches = [pooled.expand(-1, -1, *x.shape[2:]), F.relu(conv(x, "aspp0", 1e-5))]
    for n, rate in ((1, 6), (2, 12), (3, 18)):
        branches.append(separable(x, f"aspp{n}", 1e-5, True, rate=rate))
    aspp = F.relu(conv(torch.cat(branches, 1), "concat_projection", 1e-5))
    low = F.relu(conv(skip, "decoder/feature_projection0", 1e-5))
    x = F.interpolate(aspp, size=low.shape[2:], mode="bilinear", align_corners=True)
    x = torch.cat([x, low], 1)
    for n in (0, 1):
        x = separable(x, f"decoder/decoder_conv{n}", 1e-5, True)
    return {
        "entry": entry, "skip": skip, "middle": middle, "encoded": encoded, "aspp": aspp,
        "decoder": x,
    }  # fmt: skip


def dinov2_small(x: Tensor, w: Tensors, places: Tensor) -> list[Tensor]:
    """After each of the twelve blocks, and the last norm: tokens (B, 1 + h * w, 384).

    Args:
        x: (B, 3, 14 * h, 14 * w).
        w: by the names of the published state dict.
        places: (1 + h * w, 384) the position embeddings of this grid.
    """

    def norm(x: Tensor, name: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        unit = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return unit * w[f"{name}.weight"] + w[f"{name}.bias"]

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    patches = F.unfold(x, 14, stride=14).transpose(1, 2)
    patches = patches @ w["patch_embed.proj.weight"].flatten(1).T + w["patch_embed.proj.bias"]
    tokens = torch.cat([w["cls_token"].expand(len(x), 1, 384), patches], 1) + places
    after = []
    for block in range(12):
        name = f"blocks.{block}"
        query, key, value = linear(norm(tokens, f"{name}.norm1"), f"{name}.attn.qkv").chunk(3, -1)
        heads = []
        for head in range(6):
            of = slice(64 * head, 64 * head + 64)
            likeness = query[..., of] @ key[..., of].transpose(1, 2) / 8
            heads.append(likeness.softmax(-1) @ value[..., of])
        tokens = tokens + w[f"{name}.ls1.gamma"] * linear(torch.cat(heads, -1), f"{name}.attn.proj")
        inner = linear(norm(tokens, f"{name}.norm2"), f"{name}.mlp.fc1")
        inner = inner * 0.5 * (1 + torch.erf(inner / 2**0.5))
        tokens = tokens + w[f"{name}.ls2.gamma"] * linear(inner, f"{name}.mlp.fc2")
        after.append(norm(tokens, "norm"))
    return after


def bicubic(grid: Tensor, h: int, w: int, scale: tuple[float, float]) -> Tensor:
    """A grid (C, H, W) as (C, h, w), each point where the scale puts it; a = -0.75."""

    def along(length: int, count: int, scale: float) -> Tensor:
        matrix = torch.zeros(count, length)
        for n in range(count):
            at = (n + 0.5) / scale - 0.5
            first = int(at // 1) - 1
            for k in range(first, first + 4):
                t, a = abs(at - k), -0.75
                near = (a + 2) * t**3 - (a + 3) * t**2 + 1
                far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
                matrix[n, min(max(k, 0), length - 1)] += near if t <= 1 else far
        return matrix

    rows, columns = along(grid.shape[1], h, scale[0]), along(grid.shape[2], w, scale[1])
    return rows @ grid @ columns.T
