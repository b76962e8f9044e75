"""A frame's strokes as the propagation network sees them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vostool.pyramid import Pyramid
from vostool.scribbles import UNMARKED, StrokeMap


def marks_on_finest(pyramid: Pyramid, marks: StrokeMap | None, object_id: int) -> Tensor:
    """Where strokes lie on an object and on all else, at the finest stride.

    Args:
        pyramid: the features' geometry.
        marks: (H, W) of the frame, or None where nobody drew on it.
        object_id: the object.

    Returns:
        (2, h, w), 1 at the vertex nearest to a marked pixel, else 0.
    """
    finest = pyramid.levels[0]
    drawn = torch.zeros(2, *finest.shape[:2])
    if marks is None:
        return drawn
    y, x = np.nonzero(marks != UNMARKED)
    rows, columns = pyramid.nearest(finest, np.stack([x, y], axis=1))
    drawn[(marks[y, x] != object_id).astype(np.int_), rows, columns] = 1
    return drawn
