"""RGMP as it was published: a siamese ResNet-50, a global convolution, refinement modules.

Wug Oh et al., "Fast Video Object Segmentation by Reference-Guided Mask Propagation", CVPR 2018,
§3.1 and Figure 2. Modules are called as in the authors' checkpoint, so that it loads as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vostool.backbones.architecture import Loadable

WIDTH = 256
"""Channels of the decoder at every stride."""
BLOCKS = (3, 4, 6, 3)
"""Of ResNet-50, at strides 4, 8, 16 and 32."""
EXPANSION = 4
GLOBAL = 7
"""Vertices of stride 32 that the global convolution spans."""
STRIDE = 32
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class RGMP(nn.Module):
    """The whole network."""

    def __init__(self) -> None:
        super().__init__()
        self.Encoder = Encoder()
        self.Decoder = Decoder()

    def encode(self, frames: Tensor, masks: Tensor) -> list[Tensor]:
        """Frames with masks, as both siblings see them.

        Args:
            frames: (N, 3, H, W) RGB in 0..1, sides divisible by 32.
            masks: (N, 1, H, W) in 0..1.

        Returns:
            (N, C, h, w) at strides 4, 8, 16, 32.
        """
        seen: list[Tensor] = self.Encoder(frames, masks)
        return seen

    def decode(self, target: Sequence[Tensor], reference: Tensor) -> list[Tensor]:
        """Logits (N, 2, h, w) of background and object, at strides 1 and then 4, 8, 16, 32.

        Args:
            target: by :meth:`encode`, of a frame and the mask of the frame before.
            reference: the same of the reference, at stride 32 alone.
        """
        logits: list[Tensor] = self.Decoder(target, reference)
        return logits


class Encoder(nn.Module):
    """ResNet-50 with a mask beside the frame."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv1_p = nn.Conv2d(1, 64, 7, 2, 3)
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for number, blocks in enumerate(BLOCKS):
            inner = 64 << number
            layer = [Bottleneck(inputs, inner, 1 if number == 0 else 2)]
            inputs = inner * EXPANSION
            layer += [Bottleneck(inputs, inner, 1) for _ in range(blocks - 1)]
            setattr(self, f"res{number + 2}", nn.Sequential(*layer))
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(DEVIATION).view(1, 3, 1, 1))

    def forward(self, frames: Tensor, masks: Tensor) -> list[Tensor]:
        """(N, C, h, w) at strides 4, 8, 16, 32."""
        x = self.conv1((frames - self.mean) / self.std) + self.conv1_p(masks)
        x = functional.max_pool2d(functional.relu(self.bn1(x)), 3, 2, 1)
        seen = []
        for number in range(len(BLOCKS)):
            x = self.get_submodule(f"res{number + 2}")(x)
            seen.append(x)
        return seen


class Bottleneck(nn.Module):
    """A residual block of ResNet-50, the stride in its middle."""

    def __init__(self, inputs: int, inner: int, stride: int) -> None:
        super().__init__()
        outputs = inner * EXPANSION
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) in and out."""
        inner = functional.relu(self.bn1(self.conv1(x)))
        inner = functional.relu(self.bn2(self.conv2(inner)))
        return functional.relu(self.bn3(self.conv3(inner)) + self.downsample(x))


class Decoder(nn.Module):
    """From what the siblings see to masks."""

    def __init__(self) -> None:
        super().__init__()
        self.GC = GlobalConvolution(2 * 512 * EXPANSION)
        self.convG1 = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.convG2 = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        for number in (4, 3, 2):
            setattr(self, f"RF{number}", Refine((16 << number) * EXPANSION))
        for number in (5, 4, 3, 2):
            setattr(self, f"pred{number}", nn.Conv2d(WIDTH, 2, 3, padding=1))

    def forward(self, target: Sequence[Tensor], reference: Tensor) -> list[Tensor]:
        """Logits (N, 2, h, w), at strides 1 and then 4, 8, 16, 32."""
        x = self.GC(torch.cat([target[-1], reference], dim=1))
        x = x + self.convG2(functional.relu(self.convG1(functional.relu(x))))
        logits = [self.get_submodule("pred5")(functional.relu(x))]
        for number in (4, 3, 2):
            x = self.get_submodule(f"RF{number}")(target[number - 2], x)
            logits.insert(0, self.get_submodule(f"pred{number}")(functional.relu(x)))
        return [_upsampled(logits[0], 4), *logits]


class GlobalConvolution(nn.Module):
    """A large kernel as two pairs of one-dimensional ones (Peng et al., CVPR 2017)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        reach = GLOBAL // 2
        self.conv_l1 = nn.Conv2d(inputs, WIDTH, (GLOBAL, 1), padding=(reach, 0))
        self.conv_l2 = nn.Conv2d(WIDTH, WIDTH, (1, GLOBAL), padding=(0, reach))
        self.conv_r1 = nn.Conv2d(inputs, WIDTH, (1, GLOBAL), padding=(0, reach))
        self.conv_r2 = nn.Conv2d(WIDTH, WIDTH, (GLOBAL, 1), padding=(reach, 0))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to as many vertices."""
        result: Tensor = self.conv_l2(self.conv_l1(x)) + self.conv_r2(self.conv_r1(x))
        return result


class Refine(nn.Module):
    """A refinement module: the encoder's features of a stride, and what came from the coarser."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.convFS1 = nn.Conv2d(inputs, WIDTH, 3, padding=1)
        for name in ("convFS2", "convFS3", "convMM1", "convMM2"):
            setattr(self, name, nn.Conv2d(WIDTH, WIDTH, 3, padding=1))

    def forward(self, seen: Tensor, below: Tensor) -> Tensor:
        """(N, C, h, w) of both, to the finer one's size."""
        skip = self.convFS1(seen)
        skip = skip + self._twice("convFS2", "convFS3", skip)
        merged = skip + _upsampled(below, 2)
        result: Tensor = merged + self._twice("convMM1", "convMM2", merged)
        return result

    def _twice(self, first: str, second: str, x: Tensor) -> Tensor:
        inner = functional.relu(self.get_submodule(first)(functional.relu(x)))
        result: Tensor = self.get_submodule(second)(inner)
        return result


def own_name(name: str) -> str | None:
    """The name here of a tensor of the authors' file, which was saved from several GPUs."""
    return re.sub(r"^module\.", "", name)


ARCHITECTURE = Loadable(build=RGMP, rename=own_name)


def _upsampled(x: Tensor, factor: int) -> Tensor:
    """Brought up bilinearly, corner upon corner, as torch 0.3 did it, which RGMP was trained on."""
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=True)
