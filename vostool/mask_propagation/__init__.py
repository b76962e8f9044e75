"""The last round: masks travel from the annotated frames to their neighbours (§3).

The ridge classifier looks at each pixel alone. A propagation network looks at shapes: at the frame
before, which the mask came from, and at the annotated frame, on which the user has drawn. After Wug
Oh et al., "Fast Video Object Segmentation by Reference-Guided Mask Propagation", CVPR 2018 (RGMP).

A network that joins is one module with the functions of :class:`Module`, and one line of
:data:`REFINERS`. Importing this room imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import numpy.typing as npt

from vostool.adapter import Adapter
from vostool.backbones import Network
from vostool.errors import VostoolError
from vostool.images import Frame
from vostool.store import FeatureReader, Features

if TYPE_CHECKING:
    import torch

    from vostool.mask_propagation.propagate import Propagator

REFINERS = {
    "refine": f"{__name__}.feature_propagator",
    "rgmp-resnet50": f"{__name__}.frame_propagator",
}
"""The module of each propagation network; the first ships with the package."""
DEFAULT = "refine"

PUBLIC_NETWORKS = {
    network.name: network
    for network in (
        Network(
            "rgmp-resnet50",
            reads="frames and masks",
            licence="non-commercial research",
            source="https://github.com/seoungwugoh/RGMP (weights.pth)",
            module=f"{__name__}.rgmp",
        ),
    )
}
"""Of the propagation networks, those whose weights anyone can fetch."""


@dataclass(frozen=True)
class Subject:
    """What masks travel through: a clip, and a classifier of its objects.

    Attributes:
        adapter: the classifier.
        reader: the features that it reads.
        both: the backbone's and the context's features; those it reads, where it reads the
            backbone's.
        frames: reads the clip's frames, from one to before another.
        scores: the scores (T, K, H, W) that masks are made of, of the frames from one on, by their
            features.
    """

    adapter: Adapter
    reader: FeatureReader
    both: FeatureReader
    frames: Callable[[int, int], Sequence[Frame]]
    scores: Callable[[int, Features], npt.NDArray[np.float32]]


class Module(Protocol):
    """What the module of a propagation network has.

    ``weights`` is a file, ``random`` where the network's weights are public, or None to look where
    they are kept.
    """

    def check(self, weights: str | None, backbone: str, fingerprint: object) -> None:
        """Make sure that the network can run after a backbone, given the hash of its weights.

        Raises:
            WeightsError: the network's own weights are missing.
            AdapterError: it was trained for other features.
        """

    def fingerprint(self, weights: str | None) -> str:
        """The SHA-256 of the network's weights.

        Raises:
            WeightsError: they are missing.
        """

    def build(self, weights: str | None, subject: Subject, device: torch.device) -> Propagator:
        """The network, ready to carry an adapter's masks through a clip."""


@dataclass(frozen=True)
class Refiner:
    """By which network masks travel.

    Attributes:
        name: one of :data:`REFINERS`.
        weights: its weights: a file, ``random`` if they are public, or None to look for them.
        device: where it runs.

    Raises:
        VostoolError: there is no network of that name.
    """

    name: str = DEFAULT
    weights: str | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.name not in REFINERS:
            raise VostoolError(
                f"no propagation network {self.name!r}; there are: {', '.join(REFINERS)}"
            )

    @property
    def _module(self) -> Module:
        return cast(Module, import_module(REFINERS[self.name]))

    @property
    def identity(self) -> str:
        """The network and its weights, in a word.

        Raises:
            WeightsError: they are missing.
        """
        return f"{self.name} {self._module.fingerprint(self.weights)}"

    def check(self, backbone: str, fingerprint: object) -> None:
        """Make sure that it can run after a backbone: told before anything heavy does.

        Args:
            backbone: the network.
            fingerprint: the hash of its weights.

        Raises:
            WeightsError: the propagation network's weights are missing.
            AdapterError: it was trained for other features.
        """
        self._module.check(self.weights, backbone, fingerprint)

    def build(self, subject: Subject, device: torch.device) -> Propagator:
        """The network, ready to carry an adapter's masks through a clip."""
        return self._module.build(self.weights, subject, device)
