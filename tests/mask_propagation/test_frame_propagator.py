"""RGMP at work: on frames of any size, a mask of its own for each object."""

from __future__ import annotations

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
