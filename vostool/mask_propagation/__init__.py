"""The last round: masks travel from the annotated frames to their neighbours (§3).

The ridge classifier looks at each pixel alone. A propagation network looks at shapes: at the frame
before, which the mask came from, and at the annotated frame. It is the one that the paper names:
Wug Oh et al., "Fast Video Object Segmentation by Reference-Guided Mask Propagation", CVPR 2018.
Importing this room imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vostool.adapter import Adapter
from vostool.backbones import Network
from vostool.images import Frame
from vostool.store import FeatureReader, Features

RGMP = Network(
    "rgmp-resnet50",
    reads="frames and masks",
    licence="non-commercial research",
    source="https://github.com/seoungwugoh/RGMP (weights.pth)",
    module=f"{__name__}.rgmp",
    option="--refiner-weights",
)
"""The propagation network. Its weights are its authors'; they do not ship."""


@dataclass(frozen=True)
class Subject:
    """What masks travel through: a clip, and a classifier of its objects.

    Attributes:
        adapter: the classifier.
        reader: the features that it reads.
        frames: reads the clip's frames, from one to before another.
        scores: the scores (T, K, H, W) that masks are made of, of the frames from one on, by their
            features.
    """

    adapter: Adapter
    reader: FeatureReader
    frames: Callable[[int, int], Sequence[Frame]]
    scores: Callable[[int, Features], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Refiner:
    """By which weights masks travel, and where.

    Attributes:
        weights: RGMP's: a file, ``random``, or None to look where they are kept.
        device: where it runs.
    """

    weights: str | None = None
    device: str = "auto"

    @property
    def identity(self) -> str:
        """The network and its weights, in a word.

        Raises:
            WeightsError: they are missing.
        """
        return f"{RGMP.name} {RGMP.fingerprint(self.weights)}"

    def check(self) -> None:
        """Make sure that it can run: told before anything heavy does.

        Raises:
            WeightsError: its weights are missing.
        """
        RGMP.find_weights(self.weights)
