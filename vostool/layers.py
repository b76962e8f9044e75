"""Layers that our networks share, on grids whose coarse vertices are vertices of the finer ones."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):
    """Two convolutions, added to what goes in; begins as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv3(channels, channels)
        self.second = conv3(channels, channels, begins_at_zero=True)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.first(functional.relu(x)))
        result: Tensor = x + self.second(inner)
        return result


def doubled(x: Tensor, size: Sequence[int]) -> Tensor:
    """Brought to half the stride, (…, h, w) of a size: every vertex is every other of the finer."""
    h, w = x.shape[-2:]
    between = functional.interpolate(
        x, size=(2 * h - 1, 2 * w - 1), mode="bilinear", align_corners=True
    )
    beyond = (0, size[1] - between.shape[-1], 0, size[0] - between.shape[-2])
    return functional.pad(between, beyond, mode="replicate") if any(beyond) else between


def halved(x: Tensor) -> Tensor:
    """Brought to twice the stride: averaged round every other vertex."""
    return functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)


def conv3(inputs: int, outputs: int, *, begins_at_zero: bool = False) -> nn.Conv2d:
    """A convolution of 3 by 3 vertices that keeps the size."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    if begins_at_zero:
        nn.init.zeros_(conv.weight)
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv
