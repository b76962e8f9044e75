"""The default propagation network at work, on features in the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.checkpoints import TRAINED_ON, load_weights, read_metadata
from vostool.checkpoints import fingerprint as file_fingerprint
from vostool.decoder.network import SCORE_GAIN
from vostool.decoder.predictor import DecoderPredictor
from vostool.decoder.scores import Scoring
from vostool.errors import AdapterError
from vostool.mask_propagation import DEFAULT, Subject
from vostool.mask_propagation.network import NetworkInput, PropagationNetwork, Reference
from vostool.mask_propagation.propagate import Observation
from vostool.mask_propagation.roi import ROI, roi_around
from vostool.mask_propagation.strokes import marks_on_finest
from vostool.masks import Mask
from vostool.precision import fast_dtype
from vostool.pyramid import Pyramid
from vostool.scribbles import StrokeMap
from vostool.store import Features
from vostool.weights import find_weights

Read = Callable[[int, int], Features]
"""Reads features of some frames, from one to before another."""
Classify = Callable[[Features], Tensor]
"""The classifier's logits (T, K, h, w) of those, at the finest stride."""
ROIS_KEPT = 4
"""Sizes of an annotated frame's region whose encoding is remembered, for each object."""


def check(weights: str | None, backbone: str, fingerprint: object) -> None:
    """Make sure that it was trained for a backbone's features.

    Raises:
        WeightsError: its weights are missing.
        AdapterError: it was trained for other features.
    """
    if read_metadata(find_weights(weights or DEFAULT)).get(TRAINED_ON) != fingerprint:
        raise AdapterError(
            f"{backbone}: the propagation network {DEFAULT!r} reads other features; use "
            "--refiner rgmp-resnet50, which reads frames, or the default backbone"
        )


def fingerprint(weights: str | None) -> str:
    """The SHA-256 of its weights."""
    return file_fingerprint(find_weights(weights or DEFAULT))


def build(weights: str | None, subject: Subject, device: torch.device) -> FeaturePropagator:
    """The network, ready to carry an adapter's masks through a clip."""
    adapter, reader = subject.adapter, subject.both
    check(weights, reader.network, reader.cache_key.made_from.get("weights"))
    W = adapter.W
    if reader.kind != subject.reader.kind:
        # A classifier that reads the context alone gives the backbone's features no weight.
        alone = reader.pyramid.backbone.channels
        W = np.concatenate([np.zeros((alone, W.shape[1])), W])
    return FeaturePropagator(
        reader.pyramid,
        adapter.object_ids[1:],
        reader.read,
        _classify(subject, W, device),
        find_weights(weights or DEFAULT),
        device,
    )


def _classify(subject: Subject, W: npt.NDArray[np.float64], device: torch.device) -> Classify:
    """Makes the classifier's logits, by the decoder if there is one."""
    pyramid, adapter = subject.both.pyramid, subject.adapter
    if adapter.preset.decoder:
        return DecoderPredictor(pyramid, W, adapter.object_ids, device).logits
    scoring = Scoring(pyramid, W, device)

    def logits(features: Features) -> Tensor:
        levels = [torch.from_numpy(level).to(device).float() for level in features]
        return scoring(levels) * SCORE_GAIN

    return logits


@dataclass
class Memory:
    """An annotated frame, encoded when a region of some size is first needed.

    Attributes:
        observation: of the frame.
        mask: (K, h, w) each object's share.
        marks: (K, 2, h, w).
        encoded: by object, and height and width of the region.
    """

    observation: Observation
    mask: Tensor
    marks: Tensor
    encoded: dict[tuple[int, int, int], Reference] = field(default_factory=dict)


class FeaturePropagator:
    """A :class:`vostool.mask_propagation.propagate.Propagator` that reads features, not frames.

    Args:
        pyramid: the geometry of the features that are read.
        object_ids: the objects.
        read: reads them.
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
        self._read_pyramid, self._pyramid = pyramid, pyramid.backbone
        self._object_ids = object_ids
        self._read, self._classify = read, classify
        self._device, self._dtype = device, fast_dtype(device)
        channels = tuple(level.shape[2] for level in self._pyramid.levels)
        self._network = _network(channels, weights, device)
        self._rows, self._columns = (
            torch.from_numpy(m).to(device) for m in self._pyramid.finest_to_pixels
        )

    def observations(self, start: int, stop: int) -> list[Observation]:
        """What it sees of the frames start..stop-1."""
        features = self._read(start, stop)
        classifier = self._classify(features)
        backbone = self._read_pyramid.of_backbone(features)
        seen = [torch.from_numpy(level).to(self._device) for level in backbone]
        return [
            Observation(classifier[t], [level[t].permute(2, 0, 1) for level in seen])
            for t in range(stop - start)
        ]

    def begin(self, observation: Observation, marks: StrokeMap) -> Tensor:
        """Logits (K, h, w) of an annotated frame, which is its own reference."""
        every = self._marks(marks)
        logits = observation.classifier.clone()
        for k in range(len(self._object_ids)):
            where = (logits[k] > 0) | (every[k].amax(dim=0) > 0)
            if roi := roi_around(where, self._pyramid):
                shown = self._input(
                    observation, k, torch.sigmoid(observation.classifier[k]), every[k], roi
                )
                self._answer(logits[k], roi, shown, None)
        return logits

    def remember(self, observation: Observation, mask: Tensor, marks: StrokeMap) -> Memory:
        """What is remembered of an annotated frame."""
        return Memory(observation, mask.to(self._device), self._marks(marks))

    def step(self, observation: Observation, mask: Tensor, memory: Memory) -> Tensor:
        """Logits (K, h, w) of the next frame: the classifier's own far from each object."""
        mask = mask.to(self._device)
        logits = observation.classifier.clone()
        unmarked = torch.zeros_like(memory.marks[0])
        for k in range(len(self._object_ids)):
            where = (logits[k] > 0) | (mask[k] > 0.5)
            roi = roi_around(where, self._pyramid)
            if roi is None:
                continue
            reference = self._reference(memory, k, roi)
            if reference is not None:
                shown = self._input(observation, k, mask[k], unmarked, roi)
                self._answer(logits[k], roi, shown, reference)
        return logits

    def labels(self, logits: Tensor) -> Mask:
        """The mask (H, W) of logits (K, h, w) against background's 0."""
        at_pixels = self._rows @ logits.to(self._device) @ self._columns
        best, label = at_pixels.max(dim=0)
        ids = torch.tensor(self._object_ids, dtype=torch.uint8, device=self._device)
        found = torch.where(best > 0, ids[label], torch.zeros_like(ids[:1]))
        return np.asarray(found.cpu().numpy())

    def _answer(
        self, logits: Tensor, roi: ROI, shown: NetworkInput, reference: Reference | None
    ) -> None:
        """Write the network's logits of a region over the classifier's."""
        roi.cut(logits, self._pyramid).copy_(self._network(shown, reference)[0][0, 0])

    def _reference(self, memory: Memory, k: int, roi: ROI) -> Reference | None:
        """The annotated frame's object, in a region as large as another's; None if absent.

        The regions lie where the object is, here and there, so that the global convolution
        sees what lies in the same place of both.
        """
        size = k, roi.height, roi.width
        if size not in memory.encoded:
            around = roi_around(memory.mask[k] > 0.5, self._pyramid)
            if around is None:
                return None
            around = around.as_large_as(roi, self._pyramid)
            shown = self._input(memory.observation, k, memory.mask[k], memory.marks[k], around)
            if len(memory.encoded) >= ROIS_KEPT * len(self._object_ids):
                del memory.encoded[next(iter(memory.encoded))]
            memory.encoded[size] = self._network.reference(shown)
        return memory.encoded[size]

    def _input(
        self, observation: Observation, k: int, mask: Tensor, marks: Tensor, roi: ROI
    ) -> NetworkInput:
        """One object in a region."""
        classifier = observation.classifier[k]
        return roi.network_input(
            self._pyramid, observation.content, classifier, mask, marks, self._dtype
        )

    def _marks(self, marks: StrokeMap) -> Tensor:
        """(K, 2, h, w)."""
        every = [marks_on_finest(self._pyramid, marks, object_id) for object_id in self._object_ids]
        return torch.stack(every).to(self._device)


@cache
def _network(channels: tuple[int, ...], weights: Path, device: torch.device) -> PropagationNetwork:
    """A propagation network, read once a process."""
    network = PropagationNetwork(channels)
    load_weights(network, weights)
    return network.eval().to(  # type: ignore[no-any-return, call-overload]
        device, fast_dtype(device), memory_format=torch.channels_last
    )
