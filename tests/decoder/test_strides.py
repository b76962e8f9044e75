"""Several levels on one grid are read as one: the decoder sees a grid a stride."""

from __future__ import annotations

import numpy as np

from vostool.decoder.strides import by_stride, stride_channels
from vostool.pyramid import Level, Pyramid


def test_levels_of_a_stride_are_read_side_by_side_and_context_is_not() -> None:
    shapes = (("s4", 4, (8, 8, 3)), ("s8", 8, (4, 4, 2)), ("other", 8, (4, 4, 5)))
    backbone = Pyramid((32, 32), (32, 32), tuple(Level(*shape) for shape in shapes))
    context = Pyramid((32, 32), (32, 32), (Level("s8", 8, (4, 4, 7)),))
    pyramid = backbone.with_context(context)
    random = np.random.default_rng(0)
    levels = [random.normal(size=(2, *level.shape)).astype(np.float16) for level in pyramid.levels]
    assert stride_channels(pyramid) == (3, 7)
    fine, coarse = by_stride(pyramid, levels)
    np.testing.assert_array_equal(fine, levels[0])
    np.testing.assert_array_equal(coarse[..., :2], levels[1])
    np.testing.assert_array_equal(coarse[..., 2:], levels[2])
