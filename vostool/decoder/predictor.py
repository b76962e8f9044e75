"""The decoder at work: from some frames' features to their masks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.checkpoints import load_weights
from vostool.decoder import WEIGHTS
from vostool.decoder.network import Decoder
from vostool.decoder.scores import Scoring
from vostool.precision import fast_dtype
from vostool.pyramid import Pyramid
from vostool.store import Features
from vostool.weights import find_weights

FRAMES_AT_ONCE = 2
"""What the decoder works on together: with more, a CPU's caches overflow."""


class DecoderPredictor:
    """A :class:`vostool.pipeline.predictors.MaskPredictor`.

    Args:
        pyramid: the features' geometry.
        W: (C, K + 1) of Eq. 3, background first.
        object_ids: the id of each column.
        device: where to run.
    """

    def __init__(
        self,
        pyramid: Pyramid,
        W: npt.NDArray[np.float64],
        object_ids: tuple[int, ...],
        device: torch.device,
    ) -> None:
        self._device, self._dtype = device, fast_dtype(device)
        self._pyramid = pyramid
        self._scoring = Scoring(pyramid, W, device)
        backbone = pyramid.backbone.levels  # the context is in the scores alone
        self._decoder = _decoder(tuple(level.shape[2] for level in backbone), device)
        self._rows, self._columns = (
            torch.from_numpy(m).to(device) for m in pyramid.finest_to_pixels
        )
        self._ids = torch.tensor(object_ids[1:], dtype=torch.uint8, device=device)

    @torch.inference_mode()
    def scores(self, features: Features) -> npt.NDArray[np.float32]:
        """Logits (T, K, H, W) of some frames, (T, h, w, C) a level, at the clip's resolution."""
        return np.concatenate(
            [np.stack([m.cpu().numpy() for m in logits], 1) for logits in self._maps(features)]
        )

    @torch.inference_mode()
    def masks(self, features: Features) -> npt.NDArray[np.uint8]:
        """Masks (T, H, W) of some frames, (T, h, w, C) a level, at the clip's resolution."""
        return np.concatenate([self._best_of(logits) for logits in self._maps(features)])

    @torch.inference_mode()
    def logits(self, features: Features) -> Tensor:
        """Logits (T, K, h, w) of some frames, (T, h, w, C) a level, at the finest stride."""
        return torch.cat(list(self._logits(features)))

    def _maps(self, features: Features) -> Iterator[list[Tensor]]:
        """Some frames' logits (T, H, W) of each object, at the clip's resolution."""
        for logits in self._logits(features):
            yield [self._rows @ (one @ self._columns) for one in logits.unbind(dim=1)]

    def _logits(self, features: Features) -> Iterator[Tensor]:
        """Some frames' logits (T, K, h, w), at the finest stride."""
        tensors = [torch.from_numpy(level).to(self._device) for level in features]
        for part in zip(*(torch.split(level, FRAMES_AT_ONCE) for level in tensors), strict=True):
            levels = [level.float() for level in part]
            scores = self._scoring(levels)
            backbone = self._pyramid.of_backbone(levels)
            read = [level.to(self._dtype).permute(0, 3, 1, 2) for level in backbone]
            yield self._decoder(read, scores.to(self._dtype)).float()

    def _best_of(self, logits: list[Tensor]) -> npt.NDArray[np.uint8]:
        masks = torch.zeros(1, dtype=torch.uint8, device=self._device)
        best = torch.zeros(1, device=self._device)  # background's logit
        for object_id, logit in zip(self._ids, logits, strict=True):
            masks = torch.where(logit > best, object_id, masks)
            best = torch.maximum(best, logit)
        labels: npt.NDArray[np.uint8] = masks.cpu().numpy()
        return labels


@cache
def _decoder(channels: tuple[int, ...], device: torch.device) -> Decoder:
    """The shipped decoder, read once a process."""
    decoder = Decoder(channels)
    load_weights(decoder, find_weights(WEIGHTS))
    return decoder.eval().to(  # type: ignore[no-any-return, call-overload]
        device, fast_dtype(device), memory_format=torch.channels_last
    )
