"""The decoder at work: from a clip's features and an adapter to masks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.adapter import Adapter
from vostool.decoder.clip import DecoderClip
from vostool.decoder.evidence import Evidence
from vostool.decoder.pixels import Pixels
from vostool.decoder.scores import Scoring
from vostool.decoder.strides import by_stride
from vostool.label_propagation.network import View, with_background
from vostool.label_propagation.priors import Priors
from vostool.masks import Mask, confidence
from vostool.precision import mixed_precision
from vostool.scribbles import UNMARKED
from vostool.store import Features

FRAMES_AT_ONCE = 2
"""What the decoder works on together: with more, a CPU's caches overflow."""
SCORES_KEPT = 4096
"""Frames of which scores are remembered, at 25 kB an object each at 480p."""


class DecoderPredictor:
    """A :class:`vostool.pipeline.predictors.MaskPredictor`.

    Args:
        clip: what is decoded.
        adapter: the classifier, with the strokes that it was fitted to.
    """

    def __init__(self, clip: DecoderClip, adapter: Adapter) -> None:
        self._clip, self._pyramid, self._device = clip, clip.pyramid, clip.device
        self._decoder = clip.decoder
        self._scoring = Scoring(self._pyramid, adapter.W, self._device)
        self._object_ids = adapter.object_ids
        # Strokes on another clip are no help: looks alone decide where there is none on this one.
        self._strokes = adapter.strokes_on(clip.reader.cache_key.digest)
        self._level = self._pyramid.levels[clip.coarse]
        self._to_coarse = tuple(
            torch.from_numpy(matrix).to(self._device)
            for matrix in self._pyramid.onto(self._level)[0]
        )
        self._pixels = Pixels(self._pyramid, self._device)
        self._scores: OrderedDict[int, Tensor] = OrderedDict()
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
        every = self.logits(start, features)
        return np.concatenate([self._pixels.logits(logits).cpu().numpy() for logits in every])

    @torch.inference_mode()
    def masks(self, start: int, features: Features) -> npt.NDArray[np.uint8]:
        """Masks (T, H, W) of the frames from one on, at the clip's resolution.

        Args:
            start: the first frame.
            features: (T, h, w, C) a level.
        """
        every = self.logits(start, features, everywhere=False)
        return np.stack(
            [self._pixels.mask(frame, self._object_ids[1:]) for logits in every for frame in logits]
        )

    @torch.inference_mode()
    def masks_with_scores(
        self, start: int, features: Features
    ) -> Iterator[tuple[Mask, npt.NDArray[np.float32]]]:
        """The mask (H, W) of each frame from one on, and the logits (K, H, W) it is made of.

        Args:
            start: the first frame.
            features: (T, h, w, C) a level.
        """
        for logits in self.logits(start, features, everywhere=False):
            for frame in logits:
                mask = self._pixels.mask(frame, self._object_ids[1:])
                yield mask, self._pixels.logits(frame).cpu().numpy()

    @torch.inference_mode()
    def sure_mask(self, frame: int, features: Features) -> tuple[Mask, float]:
        """The mask (H, W) of one frame, and its confidence, taken at the finest stride.

        Args:
            frame: its number.
            features: (1, h, w, C) a level.
        """
        (logits,) = next(self.logits(frame, features, everywhere=False))
        mask = self._pixels.mask(logits, self._object_ids[1:])
        return mask, confidence(logits.cpu().numpy())

    def logits(
        self, start: int, features: Features, *, everywhere: bool = True
    ) -> Iterator[Tensor]:
        """Logits (T, K, h, w) of the frames from one on, at the finest stride, a few at a time.

        Args:
            start: the first frame.
            features: (T, h, w, C) a level.
            everywhere: or only where an object may be.
        """
        for levels, evidence in self.inputs(start, features):
            yield self._decode(levels, evidence, everywhere=everywhere)

    def inputs(self, start: int, features: Features) -> Iterator[tuple[list[Tensor], Evidence]]:
        """What the decoder reads of the frames from one on, a few at a time.

        Args:
            start: the first frame.
            features: (T, h, w, C) a level.
        """
        for first in range(0, len(features[0]), FRAMES_AT_ONCE):
            part = [self._clip.tensor(level[first : first + FRAMES_AT_ONCE]) for level in features]
            frames = range(start + first, start + first + len(part[0]))
            yield self._inputs(frames, part, [self.priors.of(frame) for frame in frames])

    def _inputs(
        self, frames: range, features: Sequence[Tensor], priors: Sequence[Tensor | None]
    ) -> tuple[list[Tensor], Evidence]:
        """The backbone's features (T, C, h, w) a stride, and the evidence, given priors."""
        on_grid = torch.cat(
            [
                self._on_grid(frame, [level[t : t + 1] for level in features])
                for t, frame in enumerate(frames)
            ]
        )
        none = on_grid.new_zeros(len(self._object_ids), *self._level.shape[:2])
        evidence = Evidence(
            self._scoring.at(self._pyramid.levels[0], on_grid),
            torch.stack([none if prior is None else prior for prior in priors]),
            torch.stack([self._stroke_maps(frame) for frame in frames]),
        )
        dtype = self._decoder.gain.dtype
        levels = [level.to(dtype) for level in by_stride(self._pyramid, features)]
        return levels, evidence.to(dtype)

    def _decode(
        self, levels: Sequence[Tensor], evidence: Evidence, *, everywhere: bool = True
    ) -> Tensor:
        """Logits (T, K, h, w) at the finest stride."""
        with mixed_precision(self._device) if self._clip.mixed else nullcontext():
            logits: Tensor = self._decoder(levels, evidence, everywhere=everywhere)
        return logits.float()

    def _look(self, frame: int) -> View:
        """What the propagator knows of a frame."""
        on_grid = self._on_grid(frame)
        return View(self._clip.seen(frame), self._scoring.at(self._level, on_grid)[0])

    def _on_grid(self, frame: int, features: Sequence[Tensor] | None = None) -> Tensor:
        """The scores (1, K, h, w) of a frame on the pyramid's grid, of its features if at hand."""
        if frame not in self._scores:
            self._scores[frame] = self._scoring.on_grid(features or self._clip.read_frame(frame))
            while len(self._scores) > SCORES_KEPT:
                self._scores.popitem(last=False)
        return self._scores[frame]

    @torch.no_grad()
    def _settle(self, frame: int, prior: Tensor | None) -> Tensor:
        """The labels (K + 1, h, w) of an annotated frame, at stride 16."""
        features = self._clip.read_frame(frame)
        logits = self._decode(*self._inputs(range(frame, frame + 1), features, [prior]))
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
