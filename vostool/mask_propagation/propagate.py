"""Masks on their way through a clip."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from vostool.adapter import Samples
from vostool.mask_propagation.cache import Record, SpanCache
from vostool.mask_propagation.fusion import aggregate, fuse, shares
from vostool.mask_propagation.plan import Span, meetings, plan
from vostool.masks import Mask
from vostool.scribbles import StrokeMap

Progress = Callable[[int, int], None]
"""Told (frames done, frames in all)."""


@dataclass(frozen=True)
class Observation:
    """What a propagator sees of one frame.

    Attributes:
        classifier: (K, h, w) the classifier's logits of each object against all else, at the
            propagator's own grid.
        content: the propagator's own.
    """

    classifier: Tensor
    content: Any


class Propagator(Protocol):
    """A network that carries masks from frame to frame."""

    def observations(self, start: int, stop: int) -> list[Observation]:
        """What it sees of the frames start..stop-1."""

    def begin(self, observation: Observation, marks: StrokeMap) -> Tensor:
        """Logits (K, h, w) of an annotated frame.

        Args:
            observation: of the frame.
            marks: (H, W) the strokes on it.
        """

    def remember(self, observation: Observation, mask: Tensor, marks: StrokeMap) -> Any:
        """What is remembered of an annotated frame.

        Args:
            observation: of the frame.
            mask: (K, h, w) each object's share of each pixel.
            marks: (H, W) the strokes on it.
        """

    def step(self, observation: Observation, mask: Tensor, memory: Any) -> Tensor:
        """Logits (K, h, w) of the next frame.

        Args:
            observation: of the frame.
            mask: (K, h, w) the shares of the frame before.
            memory: of the annotated frame.
        """

    def labels(self, logits: Tensor) -> Mask:
        """The mask (H, W) of logits (K, h, w) against background's 0, at the clip's resolution."""


class MaskPropagation:
    """A refinement of a clip's masks.

    Args:
        propagator: carries the masks.
        strokes: every pixel that the user has marked, the later over the earlier.
        size: (H, W) of the clip.
        frames: how many the clip has.
        cache: the records of a refinement before, if there are any; they are taken where they hold.
        source: a digest of what the classifier's answers come from: where a record has the same,
            nobody looks at its frames.
    """

    def __init__(
        self,
        propagator: Propagator,
        strokes: Samples,
        size: tuple[int, int],
        frames: int,
        cache: SpanCache,
        source: str,
    ) -> None:
        self._propagator, self._strokes, self._size, self._cache = propagator, strokes, size, cache
        self._frames, self._source = frames, source
        self._stretches = plan(map(int, np.unique(strokes.frame)), frames)

    @torch.inference_mode()
    def run(self, progress: Progress) -> int:
        """Refine every span that is not kept.

        Args:
            progress: told of frames done, of all that are on some mask's way.

        Returns:
            How many frames were computed.
        """
        done, computed = 0, 0
        total = sum(len(span.frames) for span in self._stretches)
        memory: dict[int, Any] = {}  # of the anchor whose ways are being walked
        for span in self._stretches:
            began, record = self._began(span), self._cache.find(span.name)
            if record is None or not record.is_of(began, self._source, len(span.frames)):
                observations = self._sights(span)
                labels = np.stack([_labels(observation.classifier) for observation in observations])
                if record is not None and record.holds(began, labels):
                    record = replace(record, source=self._source)  # and the labels as they were
                else:
                    record = self._computed(span, observations, began, labels, memory)
                    computed += len(observations)
                self._cache.put(span.name, record)
            done += len(span.frames)
            progress(done, total)
        self._cache.only({span.name for span in self._stretches})
        return computed

    def masks(self) -> Iterator[tuple[int, Mask]]:
        """The refined masks of every frame, in order, once :meth:`run` is through."""
        where = {frame: s for s in self._stretches for frame in s.frames}
        meeting = meetings(self._stretches)
        name, record = "", None
        for frame in range(self._frames):
            if frame in meeting:
                ends = [self._record(span).last for span in meeting[frame]]
                logits = torch.from_numpy(np.mean(ends, axis=0, dtype=np.float32))
                yield frame, self._propagator.labels(logits)
                continue
            span = where[frame]
            if record is None or span.name != name:
                name, record = span.name, self._record(span)
            yield frame, record.masks[span.frames.index(frame)]

    def _sights(self, span: Span) -> list[Observation]:
        first, last = min(span.frames), max(span.frames)
        observations = self._propagator.observations(first, last + 1)
        return [observations[frame - first] for frame in span.frames]

    def _began(self, span: Span) -> str:
        """What a span begins with, in a digest."""
        if span.before is not None:
            return self._record(span.before).ended
        here = self._strokes.within(span.anchor)
        columns = np.stack([here.x, here.y, here.object_id])
        return hashlib.blake2b(columns.tobytes(), digest_size=16).hexdigest()

    def _computed(
        self,
        span: Span,
        observations: Sequence[Observation],
        began: str,
        labels: Any,
        memory: dict[int, Any],
    ) -> Record:
        if span.before is None:
            return self._begin(span, observations[0], began, labels)
        if span.anchor not in memory:
            memory.clear()
            memory[span.anchor] = self._remember(span.anchor)
        return self._walk(span, observations, memory[span.anchor], began, labels)

    def _begin(self, span: Span, observation: Observation, began: str, labels: Any) -> Record:
        logits = self._propagator.begin(
            observation, self._strokes.stroke_map(span.anchor, self._size)
        )
        settled = aggregate(fuse(logits, observation.classifier, 0))
        return self._made(began, labels, [settled])

    def _remember(self, anchor: int) -> Any:
        (observation,) = self._propagator.observations(anchor, anchor + 1)
        known = self._record(Span(anchor, (anchor,)))
        return self._propagator.remember(
            observation, _mask_of(known), self._strokes.stroke_map(anchor, self._size)
        )

    def _walk(
        self, span: Span, observations: Sequence[Observation], memory: Any, began: str, labels: Any
    ) -> Record:
        assert span.before is not None
        mask = _mask_of(self._record(span.before))
        every = []
        for number, observation in enumerate(observations):
            logits = self._propagator.step(observation, mask, memory)
            fused = fuse(logits, observation.classifier, span.first_distance + number)
            every.append(aggregate(fused))
            mask = shares(every[-1])
        return self._made(began, labels, every)

    def _made(self, began: str, labels: Any, every: Sequence[Tensor]) -> Record:
        masks = np.stack([self._propagator.labels(logits) for logits in every])
        # What comes after begins with the half floats, too, so that a stopped run goes on the same.
        last = every[-1].half().cpu().numpy()
        return Record(began, self._source, labels, masks, last)

    def _record(self, span: Span) -> Record:
        record = self._cache.find(span.name)
        assert record is not None
        return record


def _mask_of(record: Record) -> Tensor:
    """The shares of a span's last frame."""
    return shares(torch.from_numpy(record.last.astype(np.float32)))


def _labels(logits: Tensor) -> Mask:
    """(h, w) 0 for background, and from 1 on the objects."""
    best, label = logits.max(dim=0)
    return torch.where(best > 0, label + 1, 0).to(torch.uint8).cpu().numpy()
