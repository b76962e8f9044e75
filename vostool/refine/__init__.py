"""The last round: masks travel from the annotated frames to their neighbours (§3).

The ridge classifier looks at each pixel alone. A propagation network looks at shapes: at the frame
before, which the mask came from, and at the annotated frame, on which the user has drawn. After Wug
Oh et al., "Fast Video Object Segmentation by Reference-Guided Mask Propagation", CVPR 2018 (RGMP).
"""

from __future__ import annotations

from vostool.backbones import Network
from vostool.errors import VostoolError

DEFAULT = "refine"
"""The network that ships with the package, by the name of its weights."""

RGMP = Network(
    "rgmp-resnet50",
    reads="frames and masks",
    licence="non-commercial research",
    source="https://github.com/seoungwugoh/RGMP (weights.pth)",
    module=f"{__name__}.rgmp",
)


def check_refiner(name: str) -> None:
    """Make sure that there is a propagation network of a name.

    Raises:
        VostoolError: there is none.
    """
    if name not in (DEFAULT, RGMP.name):
        raise VostoolError(f"no propagation network {name!r}; there are: {DEFAULT}, {RGMP.name}")
