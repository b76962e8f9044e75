"""From logits at the finest stride to the clip's pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vostool.masks import Mask
from vostool.pyramid import FloatArray, Pyramid


class Pixels:
    """Brings logits up to the clip's pixels, bilinearly.

    Args:
        pyramid: the features' geometry.
    """

    def __init__(self, pyramid: Pyramid) -> None:
        self._rows, self._columns = pyramid.finest_to_pixels
        self._size = pyramid.clip_size
        self._reaches = _Reach(self._rows), _Reach(self._columns.T)

    def logits(self, logits: FloatArray) -> FloatArray:
        """Logits (…, H, W), of (…, h, w)."""
        found: FloatArray = self._rows @ (logits @ self._columns)
        return found

    def mask(self, logits: FloatArray, object_ids: Sequence[int]) -> Mask:
        """The mask (H, W) of a frame: each pixel's best object, where one is above background.

        Only pixels next to a vertex at which an object is above background can be the object's, so
        that no others are looked at.

        Args:
            logits: (K, h, w), each against background's, which is 0.
            object_ids: the id of each.
        """
        mask = np.zeros(self._size, np.uint8)
        best = np.zeros(self._size, np.float32)
        for object_id, one in zip(object_ids, logits, strict=True):
            above = one > 0
            if not above.any():
                continue
            near = [
                reach.of(np.flatnonzero(above.any(axis=1 - axis)))
                for axis, reach in enumerate(self._reaches)
            ]
            (vertex_rows, rows), (vertex_columns, columns) = near
            here = self._rows[rows, vertex_rows] @ (
                one[vertex_rows, vertex_columns] @ self._columns[vertex_columns, columns]
            )
            mask[rows, columns][here > best[rows, columns]] = object_id
            np.maximum(best[rows, columns], here, out=best[rows, columns])
        return mask


class _Reach:
    """Along one axis, the pixels that vertices have a say in, and the vertices that those hear.

    Args:
        matrix: (pixels, vertices), the share of each vertex in each pixel.
    """

    def __init__(self, matrix: FloatArray) -> None:
        heard = matrix > 0
        self._pixels = _first_and_after(heard.T)
        self._vertices = _first_and_after(heard)

    def of(self, vertices: npt.NDArray[np.int_]) -> tuple[slice, slice]:
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
