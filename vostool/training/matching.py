"""Labels of frames by those of other frames of their shots, of many shots at once.

What :mod:`vostool.label_propagation.matching` does for two frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vostool.label_propagation.matching import window
from vostool.label_propagation.shape import BEST, NOWHERE


@dataclass(frozen=True)
class Matches:
    """Of each vertex of a frame, the best of each other frame of its shot.

    Attributes:
        cosine: (B, T, T, n, BEST), the best first.
        place: (B, T, T, n, BEST), where they are among the other frame's n vertices.
    """

    cosine: Tensor
    place: Tensor

    def labels(
        self,
        shot: Tensor,
        here: Tensor,
        known: Sequence[Tensor],
        labels: Sequence[Tensor],
        temperature: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """As :func:`vostool.label_propagation.matching.match_labels`, of N frames.

        Args:
            shot, here: (N,) the frames' shots and numbers.
            known: (N,) the other frames' numbers.
            labels: (N, K + 1, h, w) of them.
            temperature: the likeness counts as exp(cosine / temperature).

        Returns:
            The labels (N, K + 1, h, w), and the best cosine (N, h, w).
        """
        n, classes, h, w = labels[0].shape
        cosine = torch.cat([self.cosine[shot, here, other] for other in known], 2)
        places = torch.cat(
            [self.place[shot, here, other] + m * h * w for m, other in enumerate(known)], 2
        )
        best, index = cosine.topk(BEST, dim=2)  # (N, h · w, BEST)
        shares = torch.softmax(best / temperature, dim=2)
        every = torch.stack(list(labels), 2).reshape(n, classes, -1)
        chosen = places.gather(2, index).flatten(1)[:, None].expand(-1, classes, -1)
        found = every.gather(2, chosen).view(n, classes, h * w, BEST)
        found = (found * shares[:, None]).sum(3)
        return found.view(n, classes, h, w), best[..., 0].view(n, h, w)


def match_frames(descriptors: Tensor) -> Matches:
    """As :func:`vostool.label_propagation.matching.find_matches`, of all pairs of frames.

    All vertices of a shot are compared with all, which few and small frames allow.

    Args:
        descriptors: (B, T, D, h, w), of unit length a vertex.
    """
    shots, frames, _, h, w = descriptors.shape
    flat = descriptors.movedim(2, 4).flatten(1, 3)  # (B, T · n, D)
    cosine = (flat @ flat.mT).view(shots, frames, h * w, frames, h * w)
    row, column, outside = window(h, w, descriptors.device)
    place = (row * w + column).expand_as(outside).reshape(h * w, -1)
    outside = outside.reshape(h * w, -1)
    index = place[:, None].expand(shots, frames, h * w, frames, place.shape[1])
    cosine = cosine.gather(4, index).masked_fill(outside[:, None], NOWHERE).transpose(2, 3)
    found, where = cosine.topk(BEST, dim=4)  # (B, T, T, n, BEST)
    places = place.expand(shots, frames, frames, h * w, place.shape[1])
    return Matches(found, places.gather(4, where))
