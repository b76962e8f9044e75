"""RGMP at work, on frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from vostool.decoder.network import SCORE_GAIN
from vostool.images import Frame
from vostool.mask_propagation import Subject
from vostool.mask_propagation.fusion import SURE
from vostool.mask_propagation.propagate import Observation
from vostool.mask_propagation.rgmp import ARCHITECTURE, RGMP, STRIDE
from vostool.masks import Mask, argmax_mask
from vostool.scribbles import StrokeMap

SCALES = (0.5, 0.75, 1.0)
"""Of the frame, at each of which a mask is made; their probabilities are averaged, as published."""


def build(weights: Path | None, subject: Subject, device: torch.device) -> FramePropagator:
    """RGMP with the weights of a file or random ones, ready to carry masks through a clip."""
    adapter = subject.adapter
    gain = np.float32(1.0 if adapter.preset.decoder else SCORE_GAIN)

    def classify(start: int, stop: int) -> npt.NDArray[np.float32]:
        return gain * subject.scores(start, subject.reader.read(start, stop))

    return FramePropagator(adapter.object_ids[1:], subject.frames, classify, weights, device)


@dataclass(frozen=True)
class Encoded:
    """A reference: by object and scale, what the sibling sees of it at stride 32."""

    scales: list[list[Tensor]]


class FramePropagator:
    """A :class:`vostool.mask_propagation.propagate.Propagator` that looks at frames with RGMP.

    Args:
        object_ids: the objects.
        frames: reads some frames, from one to before another.
        classify: the classifier's logits (T, K, H, W) of those, at the clip's resolution.
        weights: the authors' file, or None for random ones.
        device: where it runs.
        scales: of the frame.
    """

    def __init__(
        self,
        object_ids: tuple[int, ...],
        frames: Callable[[int, int], Sequence[Frame]],
        classify: Callable[[int, int], npt.NDArray[np.float32]],
        weights: Path | None,
        device: torch.device,
        scales: Sequence[float] = SCALES,
    ) -> None:
        self._object_ids, self._frames, self._classify = object_ids, frames, classify
        self._weights, self._device, self._scales = weights, device, scales

    @cached_property
    def _network(self) -> RGMP:
        """Loaded when a mask travels: where all are kept, none does."""
        network = ARCHITECTURE.loaded(self._weights).eval()
        assert isinstance(network, RGMP)
        return network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def observations(self, start: int, stop: int) -> list[Observation]:
        """What it sees of the frames start..stop-1."""
        classifier = torch.from_numpy(self._classify(start, stop)).to(self._device)
        frames = self._frames(start, stop)
        return [
            Observation(logits, frame) for logits, frame in zip(classifier, frames, strict=True)
        ]

    def begin(self, observation: Observation, marks: StrokeMap) -> Tensor:
        """Logits (K, H, W) of an annotated frame: the classifier's, for RGMP is given a mask."""
        return observation.classifier

    def remember(self, observation: Observation, mask: Tensor, marks: StrokeMap) -> Encoded:
        """What is remembered of an annotated frame."""
        mask = mask.to(self._device)
        return Encoded(
            [
                [
                    self._network.encode(*self._scaled(observation.content, one, scale))[-1]
                    for scale in self._scales
                ]
                for one in mask
            ]
        )

    def step(self, observation: Observation, mask: Tensor, memory: Any) -> Tensor:
        """Logits (K, H, W) of the next frame."""
        mask = mask.to(self._device)
        answers = []
        for one, references in zip(mask, memory.scales, strict=True):
            share = torch.zeros_like(one)
            for scale, reference in zip(self._scales, references, strict=True):
                seen = self._network.encode(*self._scaled(observation.content, one, scale))
                logits = self._network.decode(seen, reference)[0]
                share += self._unscaled(logits.softmax(dim=1)[:, 1:], tuple(one.shape))
            answers.append(torch.logit(share / len(self._scales), eps=1e-6).clamp(-SURE, SURE))
        return torch.stack(answers)

    def labels(self, logits: Tensor) -> Mask:
        """The mask (H, W) of logits (K, H, W) against background's 0."""
        return argmax_mask(logits.cpu().numpy(), self._object_ids)

    def _scaled(self, frame: Frame, mask: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """A frame (1, 3, h, w) in 0..1 and a mask (1, 1, h, w), padded to whole vertices."""
        image = torch.from_numpy(frame).to(self._device).permute(2, 0, 1)[None] / 255
        left, right, top, bottom = _padding(frame.shape[:2])
        both = [
            functional.pad(one, (left, right, top, bottom)) for one in (image, mask[None, None])
        ]
        if scale != 1:
            size = [_whole(int(side * scale)) for side in both[0].shape[-2:]]
            both = [functional.interpolate(one, size=size, mode="bilinear") for one in both]
        return both[0], both[1]

    def _unscaled(self, share: Tensor, size: tuple[int, ...]) -> Tensor:
        """(H, W), of probabilities (1, 1, h, w) at some scale."""
        left, right, top, bottom = _padding(size)
        padded = [top + size[0] + bottom, left + size[1] + right]
        if list(share.shape[-2:]) != padded:
            share = functional.interpolate(share, size=padded, mode="bilinear")
        return share[0, 0, top : top + size[0], left : left + size[1]]


def _whole(side: int) -> int:
    """The next larger multiple of the stride; as published, of a multiple the one after it."""
    return side + STRIDE - side % STRIDE


def _padding(size: Sequence[int]) -> tuple[int, int, int, int]:
    """What is added left, right, above and below, as evenly as can be."""
    (above, below), (left, right) = (
        (spare // 2, spare - spare // 2) for spare in (_whole(side) - side for side in size)
    )
    return left, right, above, below
