"""What goes to a browser as bytes: label maps, by their runs.

A message is five numbers of four bytes, little-endian: its kind, the frame, the version of the
document that it answers, how sure the mask is (a float), and the number of runs; then each run's
length in four bytes, row by row through the map; then each run's label in one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

HEAD = "<IIIfI"
MASK, EARLIER, MARKS = 0, 1, 2
"""Kinds: a frame's mask; its mask of the round before; strokes of the adapter that was begun from,
as painted PNGs have them (0 blank, k object k, 255 background)."""


@dataclass(frozen=True)
class LabelMap:
    """Labels of a frame, ready to be sent.

    Attributes:
        kind: :data:`MASK`, :data:`EARLIER` or :data:`MARKS`.
        frame: the frame's number.
        version: of the document that it answers.
        confidence: of a mask, in 0..1.
        lengths, labels: (n,) of the runs.
    """

    kind: int
    frame: int
    version: int
    confidence: float
    lengths: npt.NDArray[np.uint32]
    labels: npt.NDArray[np.uint8]

    @classmethod
    def of(
        cls,
        pixels: npt.NDArray[np.uint8],
        frame: int,
        *,
        kind: int = MASK,
        version: int = 0,
        confidence: float = 1.0,
    ) -> LabelMap:
        """The map of some pixels (H, W)."""
        flat = pixels.ravel()
        starts = np.flatnonzero(np.diff(flat, prepend=np.int16(-1)))
        lengths = np.diff(starts, append=flat.size).astype(np.uint32)
        return cls(kind, frame, version, confidence, lengths, flat[starts])

    def to_bytes(self) -> bytes:
        """The message."""
        runs = len(self.labels)
        head = struct.pack(HEAD, self.kind, self.frame, self.version, self.confidence, runs)
        return head + self.lengths.astype("<u4").tobytes() + self.labels.tobytes()
