"""RGMP at work: on frames of any size, a mask of its own for each object."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from vostool.mask_propagation.frame_propagator import FramePropagator


@torch.inference_mode()
def test_a_frame_of_any_size_is_padded_and_cut_again() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (2, 50, 70, 3), dtype=np.uint8)
    classifier = np.zeros((2, 2, 50, 70), np.float32)
    propagator = FramePropagator(
        (1, 4),
        lambda start, stop: list(frames[start:stop]),
        lambda start, stop: classifier[start:stop],
        None,
        torch.device("cpu"),
        scales=(0.5, 1.0),
    )
    first, second = propagator.observations(0, 2)
    marks = np.full((50, 70), -1, np.int16)
    assert propagator.begin(first, marks) is first.classifier
    mask = torch.zeros(2, 50, 70)
    mask[0, 10:30, 10:30], mask[1, 30:45, 40:60] = 1.0, 1.0
    memory = propagator.remember(first, mask, marks)
    logits = propagator.step(second, mask, memory)
    assert logits.shape == (2, 50, 70) and torch.isfinite(logits).all()
    assert not torch.equal(logits[0], logits[1]), "each object has a mask of its own"
    labels = propagator.labels(torch.stack([mask[0] - 0.5, mask[1] - 0.5]))
    assert set(np.unique(labels)) == {0, 1, 4} and labels[15, 15] == 1 and labels[40, 50] == 4


@torch.inference_mode()
def test_a_mask_that_stays_in_place_comes_back(still_rgmp: Path) -> None:
    """Frame and mask, at each scale, are padded and cut alike."""
    frames = np.zeros((2, 70, 90, 3), np.uint8)
    propagator = FramePropagator(
        (1, 2),
        lambda start, stop: list(frames[start:stop]),
        lambda start, stop: np.zeros((stop - start, 2, 70, 90), np.float32),
        still_rgmp / "rgmp-resnet50.pth",
        torch.device("cpu"),
    )
    first, second = propagator.observations(0, 2)
    mask = torch.zeros(2, 70, 90)
    mask[0, 10:50, 10:40], mask[1, 20:60, 50:80] = 1.0, 1.0
    memory = propagator.remember(first, mask, np.full((70, 90), -1, np.int16))
    found = propagator.step(second, mask, memory) > 0
    both, either = (found & (mask > 0)).sum(dim=(1, 2)), (found | (mask > 0)).sum(dim=(1, 2))
    assert (both / either).min() > 0.7, "but for a little, by which its upsampling stretches"
