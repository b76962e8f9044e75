"""The decoder at work: from a clip's features and an adapter to masks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Generic

import numpy as np
import numpy.typing as npt

from vostool.adapter import Adapter
from vostool.decoder.clip import DecoderClip
from vostool.decoder.networks import Inputs, Seen, Values
from vostool.decoder.pixels import Pixels
from vostool.decoder.scores import Scoring
from vostool.decoder.strides import by_stride
from vostool.label_propagation.carrier import View
from vostool.label_propagation.priors import Priors
from vostool.masks import Mask, confidence
from vostool.pyramid import FloatArray
from vostool.scribbles import UNMARKED
from vostool.store import Features

SCORES_KEPT = 4096
"""Frames of which scores are remembered, at 25 kB an object each at 480p."""


class DecoderPredictor(Generic[Seen, Values]):
    """A :class:`vostool.pipeline.predictors.MaskPredictor`.

    Args:
        clip: what is decoded.
        adapter: the classifier, with the strokes that it was fitted to.
    """

    def __init__(self, clip: DecoderClip[Seen, Values], adapter: Adapter) -> None:
        self._clip, self._pyramid, self._networks = clip, clip.pyramid, clip.networks
        self._scoring = Scoring(self._pyramid, adapter.W)
        self._object_ids = adapter.object_ids
        # Strokes on another clip are no help: looks alone decide where there is none on this one.
        self._strokes = adapter.strokes_on(clip.reader.cache_key.digest)
        self._level = self._pyramid.levels[clip.coarse]
        self._to_coarse = self._pyramid.onto(self._level)[0]
        self._pixels = Pixels(self._pyramid)
        self._scores: OrderedDict[int, FloatArray] = OrderedDict()
        order = np.lexsort((self._strokes.frame, self._strokes.round))
        annotated = list(dict.fromkeys(self._strokes.frame[order].tolist()))
        self._annotated = frozenset(annotated)
        self.priors = Priors(self._networks.carrier, self._look, annotated, self._settle)

    def scores(self, start: int, features: Features) -> npt.NDArray[np.float32]:
        """Logits (T, K, H, W) of the frames from one on, at the clip's resolution.

        Args:
            start: the first frame.
            features: (T, h, w, C) a level.
        """
        with self._networks.at_work():
            every = self.logits(start, features)
            return np.concatenate(
                [self._pixels.logits(self._networks.numpy(logits)) for logits in every]
            )

    def masks(self, start: int, features: Features) -> npt.NDArray[np.uint8]:
        """Masks (T, H, W) of the frames from one on, at the clip's resolution.

        Args:
            start: the first frame.
            features: (T, h, w, C) a level.
        """
        with self._networks.at_work():
            every = self.logits(start, features, everywhere=False)
            return np.stack(
                [
                    self._pixels.mask(frame, self._object_ids[1:])
                    for logits in every
                    for frame in self._networks.numpy(logits)
                ]
            )

    def masks_with_scores(
        self, start: int, features: Features
    ) -> Iterator[tuple[Mask, npt.NDArray[np.float32]]]:
        """The mask (H, W) of each frame from one on, and the logits (K, H, W) it is made of.

        Args:
            start: the first frame.
            features: (T, h, w, C) a level.
        """
        for first in range(0, len(features[0]), self._networks.at_once):
            part = [level[first : first + self._networks.at_once] for level in features]
            with self._networks.at_work():  # and not while the caller is at work
                every = self.logits(start + first, part, everywhere=False)
                logits = self._networks.numpy(next(every))
            for frame in logits:
                yield self._pixels.mask(frame, self._object_ids[1:]), self._pixels.logits(frame)

    def sure_mask(self, frame: int, features: Features) -> tuple[Mask, float]:
        """The mask (H, W) of one frame, and its confidence, taken at the finest stride.

        Args:
            frame: its number.
            features: (1, h, w, C) a level.
        """
        with self._networks.at_work():
            (logits,) = self._networks.numpy(next(self.logits(frame, features, everywhere=False)))
        mask = self._pixels.mask(logits, self._object_ids[1:])
        return mask, confidence(logits)

    def logits(
        self, start: int, features: Features, *, everywhere: bool = True
    ) -> Iterator[Values]:
        """Logits (T, K, h, w) of the frames from one on, at the finest stride, a few at a time.

        Args:
            start: the first frame.
            features: (T, h, w, C) a level.
            everywhere: or only where an object may be.
        """
        for inputs in self.inputs(start, features):
            yield self._networks.decode(inputs, everywhere=everywhere)

    def inputs(self, start: int, features: Features) -> Iterator[Inputs[Values]]:
        """What the decoder reads of the frames from one on, a few at a time.

        Args:
            start: the first frame.
            features: (T, h, w, C) a level.
        """
        for first in range(0, len(features[0]), self._networks.at_once):
            part = [level[first : first + self._networks.at_once] for level in features]
            frames = range(start + first, start + first + len(part[0]))
            yield self._inputs(frames, part, [self.priors.of(frame) for frame in frames])

    def _inputs(
        self, frames: range, features: Features, priors: Sequence[Values | None]
    ) -> Inputs[Values]:
        """What the decoder reads of some frames, given priors."""
        finest = self._pyramid.levels[0]
        scores = [
            self._scoring.at(finest, self._on_grid(frame, [level[t] for level in features]))
            for t, frame in enumerate(frames)
        ]
        return Inputs(
            by_stride(self._pyramid, features),
            np.stack(scores),
            priors,
            np.stack([self._stroke_maps(frame) for frame in frames]),
        )

    def _look(self, frame: int) -> View[Seen, Values]:
        """What the propagator knows of a frame."""
        scores = self._scoring.at(self._level, self._on_grid(frame))
        return View(self._clip.seen(frame), self._networks.array(scores))

    def _on_grid(self, frame: int, features: Features | None = None) -> FloatArray:
        """The scores (K, h, w) of a frame on the pyramid's grid, of its features if at hand."""
        if frame not in self._scores:
            levels = features or self._clip.reader.read_frame(frame)
            self._scores[frame] = self._scoring.on_grid(levels)
            while len(self._scores) > SCORES_KEPT:
                self._scores.popitem(last=False)
        return self._scores[frame]

    def _settle(self, frame: int, prior: Values | None) -> Values:
        """The labels (K + 1, h, w) of an annotated frame, at stride 16."""
        features = [level[None] for level in self._clip.reader.read_frame(frame)]
        inputs = self._inputs(range(frame, frame + 1), features, [prior])
        return self._networks.settled(inputs, *self._to_coarse)

    def _stroke_maps(self, frame: int) -> FloatArray:
        """Where strokes of each class are, (K + 1, h, w) at the finest stride."""
        finest = self._pyramid.levels[0]
        maps = np.zeros((len(self._object_ids), *finest.shape[:2]), np.float32)
        if frame in self._annotated:
            marks = self._strokes.stroke_map(frame, self._pyramid.clip_size)
            y, x = np.nonzero(marks != UNMARKED)
            row, column = self._pyramid.nearest(finest, np.stack([x, y], axis=1))
            maps[np.searchsorted(self._object_ids, marks[y, x]), row, column] = 1
        return maps
