"""Weights of RGMP that anyone can make: it sees the mask alone, and says that it stays in place."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from vostool.mask_propagation.rgmp import RGMP

SURE = 8.0
"""Its logits, inside and outside."""


@torch.no_grad()
def write_still(folder: Path) -> None:
    """Write them as ``rgmp-resnet50.pth``.

    Two channels go through the encoder to stride 4: the mask, and what it is not. Pooling makes
    both larger, so that where they meet stays.
    """
    network = RGMP()
    for parameter in network.parameters():
        parameter.zero_()

    def tensor(name: str) -> Tensor:
        return network.get_parameter(name)

    tensor("Encoder.conv1_p.weight")[:2, 0, 3, 3] = torch.tensor([1.0, -1.0])
    tensor("Encoder.conv1_p.bias")[1] = 1.0
    for norm in ("bn1", "res2.0.downsample.1"):
        tensor(f"Encoder.{norm}.weight").fill_(1.0)
    tensor("Encoder.res2.0.downsample.0.weight")[:2, :2, 0, 0] = torch.eye(2)
    tensor("Decoder.RF2.convFS1.weight")[:2, :2, 1, 1] = torch.eye(2)
    tensor("Decoder.pred2.weight")[1, :2, 1, 1] = torch.tensor([SURE, -SURE])
    torch.save(network.state_dict(), folder / "rgmp-resnet50.pth")
