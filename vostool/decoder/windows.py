"""Where an object may be: the windows of a frame in which the decoder's fine strides are computed.

At strides 8 and 4 lie two thirds of the decoder's work, and an object fills a tenth of a frame. A
window of the logits depends on a larger one of the strides above, by as much as the convolutions
reach; so cut, it has the very logits of the whole frame.

Windows are pairs of slices, rows and columns, in vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

Window = tuple[slice, slice]

OVERHEAD = 8
"""What a window costs beside its own vertices, as a margin round it, in vertices of stride 16 that
two windows side by side share: halos, and the calls that start the arithmetic."""


def find_windows(present: npt.NDArray[np.bool_]) -> list[Window]:
    """Few windows round all vertices at which something may be.

    Each patch has a window of its own, until two together cost less.

    Args:
        present: (h, w) at stride 16.
    """
    count, _, boxes, _ = cv2.connectedComponentsWithStats(present.astype(np.uint8), connectivity=8)
    found = [
        (slice(int(y), int(y + h)), slice(int(x), int(x + w))) for x, y, w, h, _ in boxes[1:count]
    ]
    return _joined(found)


@dataclass(frozen=True)
class Cut:
    """What is cut out at one stride.

    Attributes:
        computed: the vertices that are computed.
        kept: those of them that come out as in the whole frame, and are read at the next stride.
    """

    computed: Window
    kept: Window

    @property
    def within(self) -> Window:
        """Where the kept ones lie among the computed."""
        rows, columns = (
            slice(kept.start - computed.start, kept.stop - computed.start)
            for kept, computed in zip(self.kept, self.computed, strict=True)
        )
        return rows, columns


def cut_out(window: Window, sizes: Sequence[Sequence[int]], reach: Sequence[int]) -> list[Cut]:
    """What a window of the finest stride takes, a stride, finest first.

    Args:
        window: in vertices of the coarsest stride; of the finest, those that are nearer to it than
            to any other vertex are kept.
        sizes: (h, w) of each stride's grid.
        reach: how far what is computed at each stride reads beside its own vertex; none is needed
            for the coarsest, which is computed of the whole frame.
    """
    kept = window
    for coarse, fine in pairwise(reversed(sizes)):
        kept = _finer(kept, coarse, fine)
    kept = _grown(kept, 2 ** (len(sizes) - 2), sizes[0])
    cuts = []
    for far, fine, coarse in zip(reach, sizes, sizes[1:], strict=False):
        read = _coarser(_grown(kept, far, fine), coarse)
        cuts.append(Cut(_finer(read, coarse, fine), kept))
        kept = read
    return [*cuts, Cut(kept, kept)]


def _grown(window: Window, margin: int, size: Sequence[int]) -> Window:
    rows, columns = (
        slice(max(0, along.start - margin), min(length, along.stop + margin))
        for along, length in zip(window, size, strict=True)
    )
    return rows, columns


def _finer(window: Window, size: Sequence[int], finer_size: Sequence[int]) -> Window:
    """From a window's first vertex to its last, and at the frame's end to the frame's last."""
    rows, columns = (
        slice(2 * along.start, fine if along.stop == coarse else 2 * along.stop - 1)
        for along, coarse, fine in zip(window, size, finer_size, strict=True)
    )
    return rows, columns


def _coarser(window: Window, coarser_size: Sequence[int]) -> Window:
    """The least window of which the other one is made by interpolation."""
    rows, columns = (
        slice(along.start // 2, min(coarse, along.stop // 2 + 1))
        for along, coarse in zip(window, coarser_size, strict=True)
    )
    return rows, columns


def _joined(windows: list[Window]) -> list[Window]:
    """The windows, with those as one that cost less so."""
    for n, window in enumerate(windows):
        for m, other in enumerate(windows[:n]):
            both = _around(window, other)
            if _cost(both) <= _cost(window) + _cost(other):
                rest = [w for k, w in enumerate(windows) if k not in (n, m)]
                return _joined([*rest, both])
    return windows


def _around(one: Window, other: Window) -> Window:
    rows, columns = (
        slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True)
    )
    return rows, columns


def _cost(window: Window) -> int:
    rows, columns = window
    height, width = rows.stop - rows.start, columns.stop - columns.start
    return int((height + OVERHEAD) * (width + OVERHEAD))
