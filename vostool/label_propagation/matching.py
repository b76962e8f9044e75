"""Labels of one frame by those of others: each vertex asks the vertices near its own place.

Whom it asks depends on the features alone, so that what was found for one round of strokes holds
for the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from vostool.label_propagation.shape import BEST, NOWHERE, RADIUS


@dataclass(frozen=True)
class Matches:
    """The vertices of another frame that a frame's n = h · w vertices are most like.

    Attributes:
        cosine: (n, BEST), the best first.
        place: (n, BEST) integers, where they are among the other frame's vertices.
    """

    cosine: Tensor
    place: Tensor


def find_matches(descriptor: Tensor, other: Tensor) -> Matches:
    """For each vertex of a frame, those of another one near the same place that are most like it.

    Args:
        descriptor: (D, h, w) of the frame, of unit length a vertex.
        other: of the other one.
    """
    depth, h, w = descriptor.shape
    side = 2 * RADIUS + 1
    row, column, outside = window(h, w, descriptor.device)
    # Every vertex of a row against all of a few rows: products are quick, and gathering is not.
    windows = other.permute(1, 0, 2)[row[:, 0, :, 0]]  # (h, side, D, w)
    windows = windows.permute(0, 2, 1, 3).reshape(h, depth, side * w)
    strips = (descriptor.permute(1, 2, 0) @ windows).view(h, w, side, w)
    band = strips.gather(3, column.expand(h, w, side, side)).masked_fill(outside, NOWHERE)
    cosine, index = band.reshape(h * w, side * side).topk(BEST, dim=1)
    place = (row * w + column).expand(h, w, side, side).reshape(h * w, side * side)
    return Matches(cosine, place.gather(1, index))


def match_labels(
    matches: Sequence[Matches], labels: Sequence[Tensor], temperature: Tensor
) -> tuple[Tensor, Tensor]:
    """The labels that a frame's vertices have by the looks of others' vertices near their place.

    Args:
        matches: with each other frame; the best of all count.
        labels: (K + 1, h, w) of each other frame, shares that sum to 1.
        temperature: the likeness counts as exp(cosine / temperature).

    Returns:
        The labels (K + 1, h, w), and the best cosine (h, w).
    """
    classes, h, w = labels[0].shape
    best, index = torch.cat([one.cosine for one in matches], 1).topk(BEST, dim=1)
    shares = torch.softmax(best / temperature, dim=1)
    places = torch.cat([one.place + n * h * w for n, one in enumerate(matches)], 1)
    every = torch.stack(list(labels), 1).reshape(classes, -1)
    found = (every[:, places.gather(1, index)] * shares).sum(dim=2)
    return found.view(-1, h, w), best[:, 0].view(h, w)


@cache
@torch.inference_mode(mode=False)  # what is kept may be asked for again by a training
def window(h: int, w: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Each vertex's neighbours: their rows (h, 1, n, 1) and columns (1, w, 1, n) within the frame,
    and which of them, (h, w, n, n), lie outside of it."""
    offsets = torch.arange(-RADIUS, RADIUS + 1, device=device)
    row = torch.arange(h, device=device).view(h, 1, 1, 1) + offsets.view(1, 1, -1, 1)
    column = torch.arange(w, device=device).view(1, w, 1, 1) + offsets
    outside = (row < 0) | (row >= h) | (column < 0) | (column >= w)
    return row.clamp(0, h - 1), column.clamp(0, w - 1), outside
