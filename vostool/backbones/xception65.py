"""Deeplab-v3+ on Xception-65 (Chen et al., ECCV 2018), without its classes: §2.1's second model.

The encoder strides to 16 and dilates in its last block; ASPP sees it at rates 6, 12 and 18 and as a
whole; the decoder adds a skip from stride 4 and puts out 256 channels there. Strided convolutions
pad both sides alike, and grids are brought up with their corners aligned, so that every vertex of
stride s is centred on the pixel (s·i, s·j) as everywhere here.

The published weights are a TensorFlow checkpoint; see :func:`of_tensorflow` for its names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vostool.backbones.architecture import Architecture, FeatureExtractor
from vostool.backbones.backbone import LevelShape

STRIDE, CHANNELS = 4, 256
ENCODER_STRIDE = 16
ENTRY_BLOCKS, MIDDLE_BLOCKS = 3, 16
RATES = (6, 12, 18)
"""Of ASPP's dilated convolutions, for an encoder of stride 16."""
SKIP_CHANNELS = 48
ENCODER_EPSILON, HEAD_EPSILON = 1e-3, 1e-5
"""Of the batch norms: the encoder's, and those of ASPP and decoder."""
NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""TensorFlow's names of a batch norm's tensors."""
KERNELS = ("weights", "depthwise_weights")
"""And of a convolution's."""


class Xception65DeepLab(FeatureExtractor):
    """From frames (B, 3, H, W) in -1..1 to the decoder's features (B, 256, h, w) at stride 4."""

    def __init__(self) -> None:
        super().__init__()
        self.xception_65 = Xception65()
        self.aspp = ASPP(2048)
        self.decoder = Decoder()

    def stages(self, x: Tensor) -> list[Tensor]:
        """The decoder's features alone."""
        skip, deep = self.xception_65(x)
        return [self.decoder(self.aspp(deep), skip)]


class Xception65(nn.Module):
    """The encoder: the skip (B, 256, ·, ·) at stride 4, and the features (B, 2048, ·, ·) at 16."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1_1 = _conv(3, 32, 3, ENCODER_EPSILON, stride=2)
        self.conv1_2 = _conv(32, 64, 3, ENCODER_EPSILON)
        self.entry = nn.ModuleList(
            [
                XceptionBlock((64, 128, 128, 128), stride=2, shortcut="conv"),
                XceptionBlock((128, 256, 256, 256), stride=2, shortcut="conv"),
                XceptionBlock((256, 728, 728, 728), stride=2, shortcut="conv"),
            ]
        )
        self.middle = nn.ModuleList(
            XceptionBlock((728, 728, 728, 728), shortcut="sum") for _ in range(MIDDLE_BLOCKS)
        )
        # At an output stride of 16 the first exit block does not stride, and the second dilates.
        self.exit = nn.ModuleList(
            [
                XceptionBlock((728, 728, 1024, 1024), shortcut="conv"),
                XceptionBlock((1024, 1536, 1536, 2048), rate=2, relu_inside=True),
            ]
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = functional.relu(self.conv1_1(x))
        x = functional.relu(self.conv1_2(x))
        first, second, third = self.entry
        assert isinstance(second, XceptionBlock)
        x = first(x)
        skip = second.before_stride(x)
        x = third(second(x))
        for block in (*self.middle, *self.exit):
            x = block(x)
        return skip, x


class XceptionBlock(nn.Module):
    """Three separable convolutions, the last of which strides.

    Args:
        channels: in, and after each convolution.
        stride: of the last one.
        rate: of their dilation.
        shortcut: how the input is added: ``conv`` projects it, ``sum`` takes it, None leaves it.
        relu_inside: rectify after each convolution, not before the separable ones.
    """

    def __init__(
        self,
        channels: Sequence[int],
        *,
        stride: int = 1,
        rate: int = 1,
        shortcut: str | None = None,
        relu_inside: bool = False,
    ) -> None:
        super().__init__()
        self.relu_inside = relu_inside
        self.adds = shortcut == "sum"
        strides = (1, 1, stride)
        self.separable = nn.ModuleList(
            SeparableConv(a, b, ENCODER_EPSILON, stride=s, rate=rate, rectified=relu_inside)
            for a, b, s in zip(channels, channels[1:], strides, strict=False)
        )
        self.shortcut = (
            _conv(channels[0], channels[-1], 1, ENCODER_EPSILON, stride=stride)
            if shortcut == "conv"
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        inner = self._through(x, 3)
        if self.adds:
            return inner + x
        return inner if self.shortcut is None else inner + self.shortcut(x)

    def before_stride(self, x: Tensor) -> Tensor:
        """What comes of the convolutions but the last."""
        return self._through(x, 2)

    def _through(self, x: Tensor, count: int) -> Tensor:
        for convolution in self.separable[:count]:
            x = convolution(x if self.relu_inside else functional.relu(x))
        return x


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: 1x1, three rates, and the whole frame, projected to 256."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.image_pooling = _conv(inputs, CHANNELS, 1, HEAD_EPSILON)
        self.aspp0 = _conv(inputs, CHANNELS, 1, HEAD_EPSILON)
        self.dilated = nn.ModuleList(
            SeparableConv(inputs, CHANNELS, HEAD_EPSILON, rate=rate, rectified=True)
            for rate in RATES
        )
        self.concat_projection = _conv((2 + len(RATES)) * CHANNELS, CHANNELS, 1, HEAD_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        whole = functional.relu(self.image_pooling(x.mean(dim=(2, 3), keepdim=True)))
        parts = [whole.expand(-1, -1, *x.shape[2:]), functional.relu(self.aspp0(x))]
        parts += [convolution(x) for convolution in self.dilated]
        return functional.relu(self.concat_projection(torch.cat(parts, dim=1)))


class Decoder(nn.Module):
    """ASPP's features brought to the skip's stride, with 48 channels of it, convolved twice."""

    def __init__(self) -> None:
        super().__init__()
        self.feature_projection0 = _conv(CHANNELS, SKIP_CHANNELS, 1, HEAD_EPSILON)
        self.convs = nn.ModuleList(
            SeparableConv(inputs, CHANNELS, HEAD_EPSILON, rectified=True)
            for inputs in (CHANNELS + SKIP_CHANNELS, CHANNELS)
        )

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        projected = functional.relu(self.feature_projection0(skip))
        x = torch.cat([brought_up(deep, projected.shape[2:]), projected], dim=1)
        for convolution in self.convs:
            x = convolution(x)
        return x


class SeparableConv(nn.Module):
    """A 3x3 convolution of each channel, and a 1x1 of them all; each with its batch norm."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        epsilon: float,
        *,
        stride: int = 1,
        rate: int = 1,
        rectified: bool = False,
    ) -> None:
        super().__init__()
        self.depthwise = _conv(inputs, inputs, 3, epsilon, stride=stride, rate=rate, groups=inputs)
        self.pointwise = _conv(inputs, outputs, 1, epsilon)
        self.rectified = rectified

    def forward(self, x: Tensor) -> Tensor:
        if not self.rectified:
            result: Tensor = self.pointwise(self.depthwise(x))
            return result
        return functional.relu(self.pointwise(functional.relu(self.depthwise(x))))


def brought_up(x: Tensor, size: Sequence[int]) -> Tensor:
    """To a quarter of the stride, bilinearly, every fourth vertex staying where it is."""
    factor = ENCODER_STRIDE // STRIDE
    h, w = (factor * (n - 1) + 1 for n in x.shape[2:])
    between = functional.interpolate(x, size=(h, w), mode="bilinear", align_corners=True)
    beyond = (0, max(0, size[1] - w), 0, max(0, size[0] - h))
    between = functional.pad(between, beyond, mode="replicate")
    return between[:, :, : size[0], : size[1]]


def normalised(frames: Tensor) -> Tensor:
    """What the network takes: (B, 3, H, W) in -1..1, of frames (B, H, W, 3) in 0..255, RGB."""
    return frames.permute(0, 3, 1, 2).float() / 127.5 - 1


def own_name(name: str) -> str | None:
    """The name here of a tensor of a public file; None for the classes' and the trainer's.

    TensorFlow's checkpoint, torch files with these names, and those whose encoder has the names of
    the common model library (``blocks.3.stack.conv1.conv_dw.weight``) are known.
    """
    name = re.sub(r"^(module\.)?(backbone\.|encoder\.(model\.)?)?", "", name)
    if re.match(r"logits/|global_step$|head\.fc\.", name) or name.endswith("/Momentum"):
        return None
    return of_tensorflow(name) if "/" in name else _of_library(name)


def of_tensorflow(name: str) -> str:
    """From ``xception_65/entry_flow/block2/unit_1/xception_module/shortcut/weights``."""
    scope, _, what = name.rpartition("/")
    scope, is_norm, _ = scope.partition("/BatchNorm")
    if what not in (NORM if is_norm else KERNELS):
        return name
    for theirs, ours in (
        (r"^xception_65/entry_flow/block(\d+)/unit_1/xception_module", _counted("entry")),
        (r"^xception_65/middle_flow/block1/unit_(\d+)/xception_module", _counted("middle")),
        (r"^xception_65/exit_flow/block(\d+)/unit_1/xception_module", _counted("exit")),
        (r"^xception_65/entry_flow/", lambda _: "xception_65."),
        (r"/separable_conv(\d)", lambda found: f".separable.{int(found[1]) - 1}"),
        (r"^aspp([1-9])", lambda found: f"aspp.dilated.{int(found[1]) - 1}"),
        (r"^(aspp0|image_pooling|concat_projection)", lambda found: f"aspp.{found[1]}"),
        (r"^decoder/decoder_conv(\d)", lambda found: f"decoder.convs.{found[1]}"),
        (r"_(depthwise|pointwise)$", lambda found: f".{found[1]}"),
    ):
        scope = re.sub(theirs, ours, scope)
    scope = scope.replace("/", ".")
    return f"{scope}.bn.{NORM[what]}" if is_norm else f"{scope}.conv.weight"


def _of_library(name: str) -> str:
    """From ``stem.0.conv.weight`` or ``blocks.3.stack.conv1.conv_dw.weight``."""
    if found := re.match(r"stem\.([01])\.", name):
        return f"xception_65.conv1_{int(found[1]) + 1}.{name[found.end() :]}"
    found = re.match(
        r"blocks\.(\d+)\.(?:stack\.conv(\d)\.(conv|bn)_(dw|pw)|shortcut\.(conv|bn))", name
    )
    if not found:
        return name
    number, convolution, kind, which, shortcut = found.groups()
    part, index = _part_of(int(number))
    unit = f"xception_65.{part}.{index}"
    if shortcut:
        return f"{unit}.shortcut.{shortcut}{name[found.end() :]}"
    wise = {"dw": "depthwise", "pw": "pointwise"}[which]
    return f"{unit}.separable.{int(convolution) - 1}.{wise}.{kind}{name[found.end() :]}"


def _part_of(block: int) -> tuple[str, int]:
    """The flow that a block counted from the start lies in, and its number there."""
    if block < ENTRY_BLOCKS:
        return "entry", block
    block -= ENTRY_BLOCKS
    return ("middle", block) if block < MIDDLE_BLOCKS else ("exit", block - MIDDLE_BLOCKS)


def _counted(flow: str) -> Callable[[re.Match[str]], str]:
    return lambda found: f"xception_65.{flow}.{int(found[1]) - 1}"


def _conv(
    inputs: int,
    outputs: int,
    kernel: int,
    epsilon: float,
    *,
    stride: int = 1,
    rate: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    unit = nn.Sequential()
    unit.add_module(
        "conv",
        nn.Conv2d(
            *(inputs, outputs, kernel, stride, rate * (kernel // 2), rate, groups), bias=False
        ),
    )
    unit.add_module("bn", nn.BatchNorm2d(outputs, eps=epsilon))
    return unit


ARCHITECTURE = Architecture(
    build=Xception65DeepLab,
    rename=own_name,
    normalise=normalised,
    shapes=(LevelShape(STRIDE, (0,), CHANNELS),),
)
