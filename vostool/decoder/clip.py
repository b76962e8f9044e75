"""A clip as the decoder reads it, whatever is drawn on it: one for all rounds of a session."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache

import numpy.typing as npt
import torch
from numpy import float16
from torch import Tensor

from vostool.checkpoints import load_weights
from vostool.decoder import WEIGHTS
from vostool.decoder.network import Decoder
from vostool.decoder.strides import by_stride, stride_channels
from vostool.label_propagation.network import Seen
from vostool.precision import fast_dtype
from vostool.store import FeatureReader
from vostool.store.layout import CHUNK_FRAMES
from vostool.weights import find_weights

PRIOR_STRIDE = 16
"""The stride at which labels are carried."""
SEEN_KEPT = 512
"""Frames of which it is remembered what was seen, at 0.6 MB each at 480p, and with what of their
neighbours it matched, at 0.4 MB."""


class DecoderClip:
    """A clip's features, the decoder, and what it has seen of the clip so far.

    Args:
        reader: the features.
        device: where to run.
        decoder: the network in float32, while it is trained; by default shipped weights, in the
            device's quickest arithmetic.
        weights: the shipped ones, by name.

    Attributes:
        mixed: whether the decoder is in float32, and is to be run in mixed precision.
        coarse: of the backbone's levels, the number of the one of stride 16.
    """

    def __init__(
        self,
        reader: FeatureReader,
        device: torch.device,
        decoder: Decoder | None = None,
        weights: str = WEIGHTS,
    ) -> None:
        self.reader, self.pyramid, self.device = reader, reader.pyramid, device
        levels = self.pyramid.backbone.levels  # the context is in the scores alone
        self.decoder = decoder or _shipped(weights, stride_channels(self.pyramid), device)
        self.mixed = decoder is not None
        self.coarse = next(n for n, level in enumerate(levels) if level.stride == PRIOR_STRIDE)
        self._seen: OrderedDict[int, Seen] = OrderedDict()

    def read_frame(self, frame: int) -> list[Tensor]:
        """The features of a frame, (1, h, w, C) float32 a level."""
        return [self.tensor(level[None]) for level in self.reader.read_frame(frame)]

    def tensor(self, level: npt.NDArray[float16]) -> Tensor:
        """A level's features on the device, in float32."""
        return torch.from_numpy(level).to(self.device).float()

    def seen(self, frame: int) -> Seen:
        """What the propagator sees of a frame; those of a chunk are seen at once, in less time."""
        if frame not in self._seen:
            start = frame - frame % CHUNK_FRAMES
            stop = min(start + CHUNK_FRAMES, self.reader.frames)
            levels = [self.tensor(level) for level in self.reader.read(start, stop)]
            seen = self.decoder.propagator.seen(by_stride(self.pyramid, levels)[self.coarse :])
            self._seen.update(zip(range(start, stop), seen, strict=True))
            while len(self._seen) > SEEN_KEPT:
                self._seen.popitem(last=False)
        self._seen.move_to_end(frame)
        return self._seen[frame]


@cache
def _shipped(weights: str, channels: tuple[int, ...], device: torch.device) -> Decoder:
    """A shipped decoder, read once a process."""
    decoder = Decoder(channels)
    load_weights(decoder, find_weights(weights))
    decoder = decoder.eval().to(  # type: ignore[call-overload]
        device, fast_dtype(device), memory_format=torch.channels_last
    )
    decoder.propagator.float()  # small, and errors of rounding would be carried along
    return decoder  # type: ignore[no-any-return]
