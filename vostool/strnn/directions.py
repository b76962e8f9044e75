"""The four directed acyclic graphs of Eq. 2, each of which is the first one mirrored."""

from __future__ import annotations

import torch
from torch import Tensor

DIRECTIONS = ("se", "sw", "ne", "nw")
FLIPS: dict[str, tuple[int, ...]] = {"se": (), "sw": (-2,), "ne": (-3,), "nw": (-3, -2)}
"""The axes of (…, H, W, C) along which each graph is G_se mirrored."""


def mirror(per_direction: Tensor) -> Tensor:
    """Flip each direction's (…, H, W, C) so that its graph becomes G_se. Its own inverse."""
    return torch.stack(
        [plane.flip(FLIPS[d]) for d, plane in zip(DIRECTIONS, per_direction, strict=True)]
    )
