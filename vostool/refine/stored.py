"""The default propagation network at work, on features in the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vostool.masks import Mask
from vostool.precision import fast_dtype
from vostool.pyramid import Pyramid
from vostool.refine.network import WIDTHS, Look, Propagation, Reference
from vostool.refine.strokes import marks_on_finest
from vostool.refine.travel import Sight
from vostool.refine.window import Window, neighbourhood
from vostool.scribbles import StrokeMap
from vostool.store import Features
from vostool.weights import load_weights

Read = Callable[[int, int], Features]
"""Reads features of some frames, from one to before another: the backbone's levels come first."""
Classify = Callable[[Features], Tensor]
"""The classifier's logits (T, K, h, w) of those, at the finest stride."""
WINDOWS_KEPT = 4
"""Sizes of an annotated frame's neighbourhood whose encoding is remembered, for each object."""


@dataclass
class Memory:
    """An annotated frame, encoded when a neighbourhood of some size is first needed.

    Attributes:
        sight: of the frame.
        mask: (K, h, w) each object's share.
        marks: (K, 2, h, w).
        encoded: by object, and height and width of the neighbourhood.
    """

    sight: Sight
    mask: Tensor
    marks: Tensor
    encoded: dict[tuple[int, int, int], Reference] = field(default_factory=dict)


class StoredPropagator:
    """A :class:`vostool.refine.travel.Propagator` that reads features instead of frames.

    Args:
        pyramid: the geometry of the backbone's features.
        object_ids: the objects.
        read: reads their features.
        classify: makes the classifier's logits.
        weights: the network's.
        device: where it runs.
    """

    def __init__(
        self,
        pyramid: Pyramid,
        object_ids: tuple[int, ...],
        read: Read,
        classify: Classify,
        weights: Path,
        device: torch.device,
    ) -> None:
        self._pyramid, self._object_ids = pyramid, object_ids
        self._read, self._classify = read, classify
        self._device, self._dtype = device, fast_dtype(device)
        channels = tuple(level.shape[2] for level in pyramid.levels)
        self._network = _network(channels, weights, device)
        self._rows, self._columns = (
            torch.from_numpy(m).to(device) for m in pyramid.finest_to_pixels
        )

    def sights(self, start: int, stop: int) -> list[Sight]:
        """What it sees of the frames start..stop-1."""
        features = self._read(start, stop)
        classifier = self._classify(features)
        seen = [torch.from_numpy(level).to(self._device) for level in features[: len(WIDTHS)]]
        return [
            Sight(classifier[t], [level[t].permute(2, 0, 1) for level in seen])
            for t in range(stop - start)
        ]

    def begin(self, sight: Sight, marks: StrokeMap) -> Tensor:
        """Logits (K, h, w) of an annotated frame, which is its own reference."""
        every = self._marks(marks)
        logits = sight.classifier.clone()
        for k in range(len(self._object_ids)):
            where = (logits[k] > 0) | (every[k].amax(dim=0) > 0)
            if window := neighbourhood(where, self._pyramid):
                look = self._look(sight, k, torch.sigmoid(sight.classifier[k]), every[k], window)
                self._answer(logits[k], window, look, None)
        return logits

    def remember(self, sight: Sight, mask: Tensor, marks: StrokeMap) -> Memory:
        """What is remembered of an annotated frame."""
        return Memory(sight, mask.to(self._device), self._marks(marks))

    def step(self, sight: Sight, mask: Tensor, memory: Memory) -> Tensor:
        """Logits (K, h, w) of the next frame: the classifier's own far from each object."""
        mask = mask.to(self._device)
        logits = sight.classifier.clone()
        unmarked = torch.zeros_like(memory.marks[0])
        for k in range(len(self._object_ids)):
            where = (logits[k] > 0) | (mask[k] > 0.5)
            window = neighbourhood(where, self._pyramid)
            if window is None:
                continue
            reference = self._reference(memory, k, window)
            if reference is not None:
                look = self._look(sight, k, mask[k], unmarked, window)
                self._answer(logits[k], window, look, reference)
        return logits

    def labels(self, logits: Tensor) -> Mask:
        """The mask (H, W) of logits (K, h, w) against background's 0."""
        at_pixels = self._rows @ logits.to(self._device) @ self._columns
        best, label = at_pixels.max(dim=0)
        ids = torch.tensor(self._object_ids, dtype=torch.uint8, device=self._device)
        found = torch.where(best > 0, ids[label], torch.zeros_like(ids[:1]))
        return np.asarray(found.cpu().numpy())

    def _answer(
        self, logits: Tensor, window: Window, look: Look, reference: Reference | None
    ) -> None:
        """Write the network's logits of a neighbourhood over the classifier's."""
        window.cut(logits, self._pyramid).copy_(self._network(look, reference)[0][0, 0])

    def _reference(self, memory: Memory, k: int, window: Window) -> Reference | None:
        """The annotated frame's object, in a neighbourhood as large as another's; None if absent.

        The neighbourhoods lie where the object is, here and there, so that the global convolution
        sees what lies in the same place of both.
        """
        size = k, window.height, window.width
        if size not in memory.encoded:
            around = neighbourhood(memory.mask[k] > 0.5, self._pyramid)
            if around is None:
                return None
            around = around.as_large_as(window, self._pyramid)
            look = self._look(memory.sight, k, memory.mask[k], memory.marks[k], around)
            if len(memory.encoded) >= WINDOWS_KEPT * len(self._object_ids):
                del memory.encoded[next(iter(memory.encoded))]
            memory.encoded[size] = self._network.reference(look)
        return memory.encoded[size]

    def _look(self, sight: Sight, k: int, mask: Tensor, marks: Tensor, window: Window) -> Look:
        """One object in a neighbourhood."""
        classifier = sight.classifier[k]
        return window.look(self._pyramid, sight.content, classifier, mask, marks, self._dtype)

    def _marks(self, marks: StrokeMap) -> Tensor:
        """(K, 2, h, w)."""
        every = [marks_on_finest(self._pyramid, marks, object_id) for object_id in self._object_ids]
        return torch.stack(every).to(self._device)


@cache
def _network(channels: tuple[int, ...], weights: Path, device: torch.device) -> Propagation:
    """A propagation network, read once a process."""
    network = Propagation(channels)
    load_weights(network, weights)
    return network.eval().to(  # type: ignore[no-any-return, call-overload]
        device, fast_dtype(device), memory_format=torch.channels_last
    )
