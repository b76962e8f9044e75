"""A clip as the decoder reads it, whatever is drawn on it: one for all rounds of a session."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic

from vostool.decoder.networks import DecoderNetworks, Seen, Values
from vostool.decoder.shape import PRIOR_STRIDE
from vostool.decoder.strides import by_stride
from vostool.store import FeatureReader
from vostool.store.layout import CHUNK_FRAMES

SEEN_KEPT = 512
"""Frames of which it is remembered what was seen, at 0.6 MB each at 480p, and with what of their
neighbours it matched, at 0.4 MB."""


class DecoderClip(Generic[Seen, Values]):
    """A clip's features, the decoder, and what it has seen of the clip so far.

    Args:
        reader: the features.
        networks: the decoder's.

    Attributes:
        coarse: of the backbone's levels, the number of the one of stride 16.
    """

    def __init__(self, reader: FeatureReader, networks: DecoderNetworks[Seen, Values]) -> None:
        self.reader, self.pyramid, self.networks = reader, reader.pyramid, networks
        levels = self.pyramid.backbone.levels  # the context is in the scores alone
        self.coarse = next(n for n, level in enumerate(levels) if level.stride == PRIOR_STRIDE)
        self._seen: OrderedDict[int, Seen] = OrderedDict()

    def seen(self, frame: int) -> Seen:
        """What the propagator sees of a frame; those of a chunk are seen at once, in less time."""
        if frame not in self._seen:
            start = frame - frame % CHUNK_FRAMES
            stop = min(start + CHUNK_FRAMES, self.reader.frames)
            *_, fine, coarse = by_stride(self.pyramid, self.reader.read(start, stop))
            seen = self.networks.see(fine, coarse)
            self._seen.update(zip(range(start, stop), seen, strict=True))
            while len(self._seen) > SEEN_KEPT:
                self._seen.popitem(last=False)
        self._seen.move_to_end(frame)
        return self._seen[frame]
