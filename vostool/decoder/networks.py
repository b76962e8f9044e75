"""The decoder's networks, as those see them who make masks: torch's, or the same without torch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from vostool.label_propagation.carrier import Carrier
from vostool.pyramid import FloatArray
from vostool.store import Features

Seen = TypeVar("Seen")
Values = TypeVar("Values")


@dataclass(frozen=True)
class Inputs(Generic[Values]):
    """What the decoder reads of some frames.

    Attributes:
        features: (T, h, w, C) a stride, finest first, as they are stored.
        scores: (T, K, h, w) of the ridge classifier, each against background, at the finest stride.
        priors: of each frame the labels (K + 1, h, w) that were carried there, at stride 16,
            background first; None where none were.
        strokes: (T, K + 1, h, w) where strokes are, background's first, at the finest stride.
    """

    features: Features
    scores: FloatArray
    priors: Sequence[Values | None]
    strokes: FloatArray


class DecoderNetworks(Protocol[Seen, Values]):
    """The decoder and what carries labels to it, with arrays of a kind of their own."""

    @property
    def carrier(self) -> Carrier[Seen, Values]:
        """Carries labels."""

    @property
    def at_once(self) -> int:
        """How many frames to decode together."""

    def at_work(self) -> AbstractContextManager[object]:
        """Within, nothing is learnt."""

    def array(self, values: FloatArray, /) -> Values:
        """An array of their own kind."""

    def numpy(self, values: Values, /) -> npt.NDArray[np.float32]:
        """And back."""

    def see(
        self, fine: npt.NDArray[np.float16], coarse: npt.NDArray[np.float16], /
    ) -> Sequence[Seen]:
        """What is seen of some frames, of their features (T, h, w, C) at strides 16 and 32."""

    def decode(self, inputs: Inputs[Values], /, *, everywhere: bool) -> Values:
        """Logits (T, K, h, w) at the finest stride, each against background's, which is 0.

        Args:
            inputs: of the frames.
            everywhere: or only where an object may be, and a low one elsewhere.
        """

    def settled(self, inputs: Inputs[Values], rows: FloatArray, columns: FloatArray, /) -> Values:
        """The labels (K + 1, h, w) of a frame at a coarser stride, as they are decoded.

        Args:
            inputs: of the frame.
            rows, columns: the matrices that bring them there.
        """
