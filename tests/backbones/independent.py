"""The two networks once more, as plain functions of the public files' tensors.

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
