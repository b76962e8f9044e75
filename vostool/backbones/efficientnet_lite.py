"""EfficientNet-Lite0: the embedded default backbone.

The network of Tan and Le, "EfficientNet" (ICML 2019), in the Lite variant: no squeeze-and-excite,
ReLU6, stem and head of fixed width. Parameters carry the names of the published state dict.

It pads symmetrically where the published network pads right and bottom, so that every vertex of
stride s is centred on the pixel (s·i, s·j); the classes it names are the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vostool.backbones.architecture import Architecture, FeatureExtractor
from vostool.backbones.efficientnet_lite_shape import (
    BATCH_NORM_EPSILON,
    BLOCKS,
    LEVELS,
    MEAN,
    SCALE,
    STEM_CHANNELS,
    BlockShape,
    without_head,
)

HEAD_CHANNELS, CLASSES = 1280, 1000


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON)


class MBConvBlock(nn.Module):
    """Inverted residual: expand, filter each channel, project; added to the input where it fits."""

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        self.expands, self.adds = shape.expands, shape.adds
        inner, outputs = shape.inner, shape.outputs
        if self.expands:
            self._expand_conv, self._bn0 = _conv(shape.inputs, inner, 1), _batch_norm(inner)
        self._depthwise_conv = _conv(inner, inner, shape.kernel, shape.stride, groups=inner)
        self._bn1 = _batch_norm(inner)
        self._project_conv, self._bn2 = _conv(inner, outputs, 1), _batch_norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        inner = x
        if self.expands:
            inner = nn.functional.relu6(self._bn0(self._expand_conv(inner)), inplace=True)
        inner = nn.functional.relu6(self._bn1(self._depthwise_conv(inner)), inplace=True)
        projected: Tensor = self._bn2(self._project_conv(inner))
        return projected + x if self.adds else projected


class EfficientNetLite0(FeatureExtractor):
    """The network, from RGB in -1..1 to its stages and, if asked for, ImageNet's 1000 classes.

    Args:
        classes: whether it has a head.
    """

    def __init__(self, classes: bool = False) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _conv(3, STEM_CHANNELS, 3, 2), _batch_norm(STEM_CHANNELS)
        self._blocks = nn.ModuleList(MBConvBlock(shape) for shape in BLOCKS)
        if classes:
            self._conv_head = _conv(BLOCKS[-1].outputs, HEAD_CHANNELS, 1)
            self._bn1 = _batch_norm(HEAD_CHANNELS)
            self._fc = nn.Linear(HEAD_CHANNELS, CLASSES)

    def stages(self, x: Tensor) -> list[Tensor]:
        """What each of the seven stages puts out.

        Args:
            x: (B, 3, H, W), RGB in -1..1.

        Returns:
            (B, C, h, w) each, at strides 2, 4, 8, 16, 16, 32, 32; h = ceil(H / stride).
        """
        x = nn.functional.relu6(self._bn0(self._conv_stem(x)), inplace=True)
        outputs = []
        for shape, block in zip(BLOCKS, self._blocks, strict=True):
            x = block(x)
            if shape.ends_stage:
                outputs.append(x)
        return outputs

    def forward(self, x: Tensor) -> Tensor:
        """Class logits (B, 1000) of images (B, 3, H, W)."""
        x = nn.functional.relu6(self._bn1(self._conv_head(self.stages(x)[-1])), inplace=True)
        logits: Tensor = self._fc(x.mean((2, 3)))
        return logits

    def fold_batch_norms(self) -> None:
        """Fold each batch norm into the convolution before it: the same map, fewer steps."""
        pairs: list[tuple[nn.Module, str, str]] = [(self, "_conv_stem", "_bn0")]
        if hasattr(self, "_conv_head"):
            pairs.append((self, "_conv_head", "_bn1"))
        for block in self._blocks:
            assert isinstance(block, MBConvBlock)
            if block.expands:
                pairs.append((block, "_expand_conv", "_bn0"))
            pairs += [(block, "_depthwise_conv", "_bn1"), (block, "_project_conv", "_bn2")]
        for owner, conv_name, norm_name in pairs:
            conv, norm = getattr(owner, conv_name), getattr(owner, norm_name)
            setattr(owner, conv_name, torch.nn.utils.fuse_conv_bn_eval(conv, norm))
            setattr(owner, norm_name, nn.Identity())


def normalised(frames: Tensor) -> Tensor:
    """What the network takes: (B, 3, H, W) in -1..1, of frames (B, H, W, 3) in 0..255, RGB."""
    return (frames.permute(0, 3, 1, 2).float() - MEAN) / SCALE


ARCHITECTURE = Architecture(
    build=EfficientNetLite0, rename=without_head, normalise=normalised, shapes=LEVELS
)
