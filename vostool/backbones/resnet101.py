"""Deeplab-v2's ResNet-101 (Chen et al., TPAMI 2018), up to conv5: what §2.1's first model reads.

The last two of its four layers do not stride but dilate, by 2 and by 4, so that conv5 lies at
stride 8. As in Caffe's ResNet, a block strides in its first convolution. Parameters carry the names
of the common PyTorch port, whose converted COCO weights are public.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vostool.backbones.architecture import Architecture, FeatureExtractor
from vostool.backbones.backbone import LevelShape

STRIDE, CHANNELS = 8, 2048
STEM_CHANNELS, EXPANSION = 64, 4
MEAN_BGR = (104.008, 116.669, 122.675)
"""Caffe's: subtracted of the frame's channels, blue first; nothing is divided."""


@dataclass(frozen=True)
class LayerShape:
    """One row of the architecture's table: ``blocks`` bottlenecks."""

    blocks: int
    channels: int
    stride: int
    dilation: int


LAYERS = (
    LayerShape(3, 256, 1, 1),
    LayerShape(4, 512, 2, 1),
    LayerShape(23, 1024, 1, 2),
    LayerShape(3, 2048, 1, 4),
)


class ResNet101(FeatureExtractor):
    """From frames (B, 3, H, W), normalised, to conv5 (B, 2048, h, w) at stride 8, rectified."""

    def __init__(self) -> None:
        super().__init__()
        stem = nn.Sequential()
        stem.add_module("conv1", _conv(3, STEM_CHANNELS, 7, stride=2, rectified=True))
        stem.add_module("pool", nn.MaxPool2d(3, 2, 1, ceil_mode=True))
        self.add_module("layer1", stem)
        inputs = STEM_CHANNELS
        for number, shape in enumerate(LAYERS, 2):
            layer = nn.Sequential()
            for block in range(1, shape.blocks + 1):
                stride = shape.stride if block == 1 else 1
                layer.add_module(f"block{block}", Bottleneck(inputs, shape, stride))
                inputs = shape.channels
            self.add_module(f"layer{number}", layer)

    def stages(self, x: Tensor) -> list[Tensor]:
        """Conv5 alone; the pooling's rounding up may leave a vertex too many, which is cut."""
        height, width = (-(-side // STRIDE) for side in x.shape[2:])
        for number in range(1, len(LAYERS) + 2):
            x = self.get_submodule(f"layer{number}")(x)
        return [x[:, :, :height, :width]]


class Bottleneck(nn.Module):
    """Reduce, convolve, increase; added to the input, which the first of a layer projects."""

    def __init__(self, inputs: int, shape: LayerShape, stride: int) -> None:
        super().__init__()
        inner = shape.channels // EXPANSION
        self.reduce = _conv(inputs, inner, 1, stride=stride, rectified=True)
        self.conv3x3 = _conv(inner, inner, 3, dilation=shape.dilation, rectified=True)
        self.increase = _conv(inner, shape.channels, 1)
        self.shortcut = (
            nn.Identity()
            if inputs == shape.channels
            else _conv(inputs, shape.channels, 1, stride=stride)
        )

    def forward(self, x: Tensor) -> Tensor:
        inner = self.increase(self.conv3x3(self.reduce(x)))
        return functional.relu(inner + self.shortcut(x))


def normalised(frames: Tensor) -> Tensor:
    """What the network takes: (B, 3, H, W), of frames (B, H, W, 3) in 0..255, RGB."""
    mean = torch.tensor(MEAN_BGR, device=frames.device)
    return (frames.flip(-1).float() - mean).permute(0, 3, 1, 2)


def own_name(name: str) -> str | None:
    """The name here of a tensor of one of the two common ports' files; None for the classes'.

    The one (``layer2.block1.reduce.conv.weight``) has these names, after ``base.`` where it was
    saved within its multi-scale wrapper; the other (``Scale.layer1.0.conv1.weight``) torchvision's.
    """
    name = re.sub(r"^(module\.)?(base\.|scale\.|Scale\.)?", "", name)
    if re.match(r"aspp\.|fc\.|layer5\.conv2d_list\.", name):
        return None
    if name.startswith(("conv1.", "bn1.")):
        return "layer1.conv1." + name.replace("conv1.", "conv.").replace("bn1.", "bn.")
    if found := re.fullmatch(r"layer(\d)\.(\d+)\.(conv|bn)(\d)\.(\w+)", name):
        layer, block, kind, number, what = found.groups()
        unit = ("reduce", "conv3x3", "increase")[int(number) - 1]
        return f"layer{int(layer) + 1}.block{int(block) + 1}.{unit}.{kind}.{what}"
    if found := re.fullmatch(r"layer(\d)\.(\d+)\.downsample\.([01])\.(\w+)", name):
        layer, block, number, what = found.groups()
        kind = ("conv", "bn")[int(number)]
        return f"layer{int(layer) + 1}.block{int(block) + 1}.shortcut.{kind}.{what}"
    return name.replace(".proj.", ".shortcut.")


def _conv(
    inputs: int,
    outputs: int,
    kernel: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    rectified: bool = False,
) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    unit = nn.Sequential()
    unit.add_module(
        "conv", nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False)
    )
    unit.add_module("bn", nn.BatchNorm2d(outputs))
    if rectified:
        unit.add_module("relu", nn.ReLU())
    return unit


ARCHITECTURE = Architecture(
    build=ResNet101,
    rename=own_name,
    normalise=normalised,
    shapes=(LevelShape(STRIDE, (0,), CHANNELS),),
)
