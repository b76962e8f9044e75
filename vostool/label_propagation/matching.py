"""Labels of one frame by those of others: each vertex asks the vertices near its own place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

RADIUS = 3
"""How far a vertex looks for its like, to each side, in vertices."""
BEST = 5
"""How many of those that it finds are believed."""
NOWHERE = -1e4
"""The likeness of what lies outside the frame."""


def match_labels(
    descriptor: Tensor,
    descriptors: Sequence[Tensor],
    labels: Sequence[Tensor],
    temperature: Tensor,
) -> tuple[Tensor, Tensor]:
    """The labels that a frame's vertices have by the looks of others' vertices near their place.

    Args:
        descriptor: (D, h, w) of the frame, of unit length a vertex.
        descriptors: the same of each other frame.
        labels: (K + 1, h, w) of each other frame, shares that sum to 1.
        temperature: the likeness counts as exp(cosine / temperature).

    Returns:
        The labels (K + 1, h, w), and the best cosine (h, w).
    """
    depth, h, w = descriptor.shape
    rows = descriptor.permute(1, 2, 0)  # (h, w, D)
    side = 2 * RADIUS + 1
    row, column, outside = _window(h, w, descriptor.device)
    cosines = []
    for other in descriptors:
        # Every vertex of a row against all of a few rows: products are quick, and gathering is not.
        windows = other.permute(1, 0, 2)[row[:, 0, :, 0]]  # (h, side, D, w)
        windows = windows.permute(0, 2, 1, 3).reshape(h, depth, side * w)
        strips = (rows @ windows).view(h, w, side, w)
        band = strips.gather(3, column.expand(h, w, side, side))
        cosines.append(band.masked_fill(outside, NOWHERE).reshape(h * w, side * side))
    best, index = torch.cat(cosines, 1).topk(BEST, dim=1)
    shares = torch.softmax(best / temperature, dim=1)
    place = (row * w + column).expand(h, w, side, side).reshape(h * w, side * side)
    places = torch.cat([place + n * h * w for n in range(len(descriptors))], 1).gather(1, index)
    every = torch.stack(list(labels), 1).reshape(len(labels[0]), -1)
    found = (every[:, places] * shares).sum(dim=2)
    return found.view(-1, h, w), best[:, 0].view(h, w)


@cache
@torch.inference_mode(mode=False)  # what is kept may be asked for again by a training
def _window(h: int, w: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Each vertex's neighbours: their rows (h, 1, n, 1) and columns (1, w, 1, n) within the frame,
    and which of them, (h, w, n, n), lie outside of it."""
    offsets = torch.arange(-RADIUS, RADIUS + 1, device=device)
    row = torch.arange(h, device=device).view(h, 1, 1, 1) + offsets.view(1, 1, -1, 1)
    column = torch.arange(w, device=device).view(1, w, 1, 1) + offsets
    outside = (row < 0) | (row >= h) | (column < 0) | (column >= w)
    return row.clamp(0, h - 1), column.clamp(0, w - 1), outside
