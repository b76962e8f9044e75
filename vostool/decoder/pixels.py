"""From logits at the finest stride to the clip's pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.masks import Mask
from vostool.pyramid import FloatArray, Pyramid


class Pixels:
    """Brings logits up to the clip's pixels, bilinearly.

    Args:
        pyramid: the features' geometry.
        device: where to run.
    """

    def __init__(self, pyramid: Pyramid, device: torch.device) -> None:
        rows, columns = pyramid.finest_to_pixels
        self._size = pyramid.clip_size
        self._rows, self._columns = (torch.from_numpy(m).to(device) for m in (rows, columns))
        self._reaches = _Reach(rows), _Reach(columns.T)

    def logits(self, logits: Tensor) -> Tensor:
        """Logits (…, H, W), of (…, h, w)."""
        return self._rows @ (logits @ self._columns)

    def mask(self, logits: Tensor, object_ids: Sequence[int]) -> Mask:
        """The mask (H, W) of a frame: each pixel's best object, where one is above background.

        Only pixels next to a vertex at which an object is above background can be the object's, so
        that no others are looked at.

        Args:
            logits: (K, h, w), each against background's, which is 0.
            object_ids: the id of each.
        """
        mask = torch.zeros(self._size, dtype=torch.uint8, device=logits.device)
        best = torch.zeros(self._size, device=logits.device)
        for object_id, one in zip(object_ids, logits, strict=True):
            above = one > 0
            if not above.any():
                continue
            near = [
                reach.of(above.any(dim=1 - axis).nonzero()[:, 0])
                for axis, reach in enumerate(self._reaches)
            ]
            (vertex_rows, rows), (vertex_columns, columns) = near
            here = self._rows[rows, vertex_rows] @ (
                one[vertex_rows, vertex_columns] @ self._columns[vertex_columns, columns]
            )
            wins = here > best[rows, columns]
            mask[rows, columns].masked_fill_(wins, object_id)
            torch.maximum(best[rows, columns], here, out=best[rows, columns])
        labels: Mask = mask.cpu().numpy()
        return labels


class _Reach:
    """Along one axis, the pixels that vertices have a say in, and the vertices that those hear.

    Args:
        matrix: (pixels, vertices), the share of each vertex in each pixel.
    """

    def __init__(self, matrix: FloatArray) -> None:
        heard = matrix > 0
        self._pixels = _first_and_after(heard.T)
        self._vertices = _first_and_after(heard)

    def of(self, vertices: Tensor) -> tuple[slice, slice]:
        """The vertices and the pixels round the first to the last of some vertices, ascending."""
        first, last = int(vertices[0]), int(vertices[-1])
        pixels = slice(int(self._pixels[first, 0]), int(self._pixels[last, 1]))
        start, stop = self._vertices[pixels.start, 0], self._vertices[pixels.stop - 1, 1]
        return slice(int(start), int(stop)), pixels


def _first_and_after(every: npt.NDArray[np.bool_]) -> npt.NDArray[np.int_]:
    """Of each row, where the first true value is and where the last one ends: (n, 2)."""
    first = every.argmax(axis=1)
    after = every.shape[1] - every[:, ::-1].argmax(axis=1)
    return np.stack([first, after], axis=1)
