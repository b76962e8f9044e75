"""What the decoder is made of, whatever runs it."""

from __future__ import annotations

WIDTHS = (24, 40, 64, 96)
"""Channels at each stride, finest first."""
BLOCKS = (1, 1, 2, 3)
"""Residual blocks at each stride."""
FINE = 2
"""Strides, of the finest, at which an object is decoded only where it may be."""
REACH = tuple(2 + 2 * blocks + (n == 0) for n, blocks in enumerate(BLOCKS[:FINE]))
"""How far convolutions read at these, in vertices: evidence, mixing, two a block, the output."""
CHANNELS = 6
"""Of the evidence of one object: its score and its prior, each against the best other one; the
share of its prior; the best score of any object; strokes on it, and strokes on anything else."""
PRESENT = 0.0
"""The logit of an object's presence above which it is decoded."""
ABSENT = -16.0
"""The logit of its mask where it is not."""
FEATURE_GAIN = 4.0
"""Features are of unit length per stage, so each is small; this brings them to about one."""
PRIOR_STRIDE = 16
"""The stride at which labels are carried."""
