"""The decoder at work: from a clip's features and an adapter to masks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.adapter import Adapter
from vostool.checkpoints import load_weights
from vostool.decoder import WEIGHTS
from vostool.decoder.evidence import Evidence
from vostool.decoder.network import Decoder
from vostool.decoder.scores import Scoring
from vostool.decoder.strides import by_stride, stride_channels
from vostool.label_propagation.network import View, with_background
from vostool.label_propagation.priors import Priors
from vostool.precision import fast_dtype, mixed_precision
from vostool.scribbles import UNMARKED
from vostool.store import FeatureReader, Features
from vostool.store.layout import CHUNK_FRAMES
from vostool.weights import find_weights

FRAMES_AT_ONCE = 2
"""What the decoder works on together: with more, a CPU's caches overflow."""
PRIOR_STRIDE = 16
"""The stride at which labels are carried."""
VIEWS_KEPT = 512
"""Frames of which a predictor remembers what it saw, at 0.5 MB each at 480p."""


class DecoderPredictor:
    """A :class:`vostool.pipeline.predictors.MaskPredictor`.

    Args:
        reader: the clip's features.
        adapter: the classifier, with the strokes that it was fitted to.
        device: where to run.
        decoder: the network in float32, while it is trained; by default shipped weights, in the
            device's quickest arithmetic.
        weights: the shipped ones, by name.
    """

    def __init__(
        self,
        reader: FeatureReader,
        adapter: Adapter,
        device: torch.device,
        decoder: Decoder | None = None,
        weights: str = WEIGHTS,
    ) -> None:
        pyramid = reader.pyramid
        backbone = pyramid.backbone.levels  # the context is in the scores alone
        self._reader, self._pyramid, self._device = reader, pyramid, device
        self._scoring = Scoring(pyramid, adapter.W, device)
        self._decoder = decoder or _decoder(weights, stride_channels(pyramid), device)
        self._dtype = self._decoder.gain.dtype
        self._mixed = decoder is not None
        self._object_ids = adapter.object_ids
        self._strokes = adapter.strokes
        self._coarse = next(n for n, lv in enumerate(backbone) if lv.stride == PRIOR_STRIDE)
        level = backbone[self._coarse]
        self._coarse_shape = (len(adapter.object_ids), *level.shape[:2])
        self._to_coarse = self._on_device(pyramid.onto(level)[0])
        self._to_pixels = self._on_device(pyramid.finest_to_pixels)
        self._ids = torch.tensor(adapter.object_ids[1:], dtype=torch.uint8, device=device)
        self._views: OrderedDict[int, View] = OrderedDict()
        annotated = []
        if adapter.provenance.clip == reader.clip_name:  # what was drawn on another clip is no help
            order = np.lexsort((self._strokes.frame, self._strokes.round))
            annotated = list(dict.fromkeys(self._strokes.frame[order].tolist()))
        self._annotated = frozenset(annotated)
        self.priors = Priors(self._decoder.propagator, self._look, annotated, self._settle)

    @torch.inference_mode()
    def scores(self, start: int, features: Features) -> npt.NDArray[np.float32]:
        """Logits (T, K, H, W) of the frames from one on, at the clip's resolution.

        Args:
            start: the first frame.
            features: (T, h, w, C) a level.
        """
        return np.concatenate(
            [np.stack([m.cpu().numpy() for m in one], 1) for one in self._maps(start, features)]
        )

    @torch.inference_mode()
    def masks(self, start: int, features: Features) -> npt.NDArray[np.uint8]:
        """Masks (T, H, W) of the frames from one on, at the clip's resolution.

        Args:
            start: the first frame.
            features: (T, h, w, C) a level.
        """
        return np.concatenate([self._best_of(maps) for maps in self._maps(start, features)])

    def logits(self, start: int, features: Features) -> Iterator[Tensor]:
        """Logits (T, K, h, w) of the frames from one on, at the finest stride, a few at a time.

        Args:
            start: the first frame.
            features: (T, h, w, C) a level.
        """
        tensors = [torch.from_numpy(level).to(self._device) for level in features]
        for part in zip(*(torch.split(level, FRAMES_AT_ONCE) for level in tensors), strict=True):
            frames = range(start, start + len(part[0]))
            yield self._decode(frames, part, [self.priors.of(frame) for frame in frames])
            start = frames.stop

    def _decode(
        self, frames: range, features: Sequence[Tensor], priors: Sequence[Tensor | None]
    ) -> Tensor:
        """Logits (T, K, h, w) at the finest stride, of some frames with what arrived there."""
        levels = [level.float() for level in features]
        none = torch.zeros(self._coarse_shape, device=self._device)
        evidence = Evidence(
            self._scoring.at(self._pyramid.levels[0], self._scoring.on_grid(levels)),
            torch.stack([none if prior is None else prior for prior in priors]),
            torch.stack([self._stroke_maps(frame) for frame in frames]),
        )
        read = [level.to(self._dtype) for level in by_stride(self._pyramid, levels)]
        with mixed_precision(self._device) if self._mixed else nullcontext():
            logits: Tensor = self._decoder(read, evidence.to(self._dtype))
        return logits.float()

    def _maps(self, start: int, features: Features) -> Iterator[list[Tensor]]:
        """Some frames' logits (T, H, W) of each object, at the clip's resolution."""
        rows, columns = self._to_pixels
        for logits in self.logits(start, features):
            yield [rows @ (one @ columns) for one in logits.unbind(dim=1)]

    def _best_of(self, logits: list[Tensor]) -> npt.NDArray[np.uint8]:
        masks = torch.zeros(1, dtype=torch.uint8, device=self._device)
        best = torch.zeros(1, device=self._device)  # background's logit
        for object_id, logit in zip(self._ids, logits, strict=True):
            masks = torch.where(logit > best, object_id, masks)
            best = torch.maximum(best, logit)
        labels: npt.NDArray[np.uint8] = masks.cpu().numpy()
        return labels

    def _look(self, frame: int) -> View:
        """What the propagator sees of a frame. A whole chunk is read: one frame costs as much."""
        if frame not in self._views:
            start = frame - frame % CHUNK_FRAMES
            stop = min(start + CHUNK_FRAMES, self._reader.frames)
            levels = [
                torch.from_numpy(level).to(self._device).float()
                for level in self._reader.read(start, stop)
            ]
            level = self._pyramid.levels[self._coarse]
            scores = self._scoring.at(level, self._scoring.on_grid(levels))
            read = by_stride(self._pyramid, levels)
            views = self._decoder.propagator.views(read[self._coarse :], scores)
            self._views.update(zip(range(start, stop), views, strict=True))
            while len(self._views) > VIEWS_KEPT:
                self._views.popitem(last=False)
        return self._views[frame]

    @torch.no_grad()
    def _settle(self, frame: int, prior: Tensor | None) -> Tensor:
        """The labels (K + 1, h, w) of an annotated frame, at stride 16."""
        features = [
            torch.from_numpy(level[None]).to(self._device)
            for level in self._reader.read_frame(frame)
        ]
        logits = self._decode(range(frame, frame + 1), features, [prior])
        rows, columns = self._to_coarse
        return rows @ with_background(logits).softmax(dim=1)[0] @ columns

    def _stroke_maps(self, frame: int) -> Tensor:
        """Where strokes of each class are, (K + 1, h, w) at the finest stride."""
        finest = self._pyramid.levels[0]
        maps = np.zeros((len(self._object_ids), *finest.shape[:2]), np.float32)
        if frame in self._annotated:
            marks = self._strokes.stroke_map(frame, self._pyramid.clip_size)
            y, x = np.nonzero(marks != UNMARKED)
            row, column = self._pyramid.nearest(finest, np.stack([x, y], axis=1))
            maps[np.searchsorted(self._object_ids, marks[y, x]), row, column] = 1
        return torch.from_numpy(maps).to(self._device)

    def _on_device(self, matrices: tuple[npt.NDArray[np.float32], ...]) -> tuple[Tensor, ...]:
        return tuple(torch.from_numpy(matrix).to(self._device) for matrix in matrices)


@cache
def _decoder(weights: str, channels: tuple[int, ...], device: torch.device) -> Decoder:
    """A shipped decoder, read once a process."""
    decoder = Decoder(channels)
    load_weights(decoder, find_weights(weights))
    decoder = decoder.eval().to(  # type: ignore[call-overload]
        device, fast_dtype(device), memory_format=torch.channels_last
    )
    decoder.propagator.float()  # small, and errors of rounding would be carried along
    return decoder  # type: ignore[no-any-return]
