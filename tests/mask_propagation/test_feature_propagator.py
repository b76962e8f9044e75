"""The default network at work: on each object's region, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vostool.checkpoints import write_weights
from vostool.mask_propagation import DEFAULT
from vostool.mask_propagation.feature_propagator import FeaturePropagator
from vostool.pyramid import Level, Pyramid
from vostool.scribbles import UNMARKED
from vostool.store import Features
from vostool.training.recipes.refiner import new_propagation
from vostool.weights import find_weights

SIZE = (200, 420)
CHANNELS = (24, 40, 192, 512)
PYRAMID = Pyramid(
    SIZE,
    SIZE,
    tuple(
        Level(f"s{s}", s, (-(-SIZE[0] // s), -(-SIZE[1] // s), channels))
        for s, channels in zip((4, 8, 16, 32), CHANNELS, strict=True)
    ),
)
FRAMES = 3
UNDRAWN = np.full(SIZE, UNMARKED, np.int16)


def features(start: int, stop: int) -> Features:
    """Of unit length a vertex, as stored; the same for the same frame."""
    found = []
    for n, level in enumerate(PYRAMID.levels):
        grids = np.stack(
            [np.random.default_rng((n, t)).normal(size=level.shape) for t in range(start, stop)]
        )
        found.append((grids / np.linalg.norm(grids, axis=-1, keepdims=True)).astype(np.float16))
    return found


def propagator(classifier: Tensor, weights: Path) -> FeaturePropagator:
    ids = (1, 7)[: classifier.shape[1]]
    read: list[tuple[int, int]] = []

    def reading(start: int, stop: int) -> Features:
        read.append((start, stop))
        return features(start, stop)

    def classify(_: Features) -> Tensor:
        start, stop = read[-1]
        return classifier[start:stop]

    return FeaturePropagator(PYRAMID, ids, reading, classify, weights, torch.device("cpu"))


@pytest.fixture
def classifier() -> Tensor:
    """(T, 2, h, w): a small object, and another far from it."""
    logits = torch.full((FRAMES, 2, *PYRAMID.levels[0].shape[:2]), -3.0)
    for t in range(FRAMES):
        logits[t, 0, 4:12, 6 + t : 16 + t] = 3.0
        logits[t, 1, 30:44, 80:96] = 3.0
    return logits


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    write_weights(tmp_path / "w.safetensors", new_propagation().state_dict(), {})
    return tmp_path / "w.safetensors"


@torch.inference_mode()
def test_untrained_it_changes_nothing(classifier: Tensor, untrained: Path) -> None:
    carries = propagator(classifier, untrained)
    first, second, _ = carries.observations(0, FRAMES)
    logits = carries.begin(first, UNDRAWN)
    torch.testing.assert_close(logits, classifier[0])
    memory = carries.remember(first, torch.sigmoid(logits), UNDRAWN)
    torch.testing.assert_close(carries.step(second, torch.sigmoid(logits), memory), classifier[1])


@torch.inference_mode()
def test_far_from_the_object_the_classifiers_answer_stays(classifier: Tensor) -> None:
    carries = propagator(classifier, find_weights(DEFAULT))
    first, second, _ = carries.observations(0, FRAMES)
    memory = carries.remember(first, torch.sigmoid(classifier[0]), UNDRAWN)
    logits = carries.step(second, torch.sigmoid(classifier[0]), memory)
    changed = (logits - classifier[1]).abs() > 1e-4
    assert changed[0].any() and not changed[0][:, 60:].any()
    assert changed[1].any() and not changed[1][:, :30].any()


@torch.inference_mode()
def test_strokes_of_each_object_are_for_it_and_against_the_others(
    classifier: Tensor, untrained: Path
) -> None:
    carries = propagator(classifier, untrained)
    marks = UNDRAWN.copy()
    marks[20:40, 40] = 1
    marks[150, 330:370] = 7
    marks[100, 200] = 0
    seen = carries._marks(marks)
    assert seen.shape == (2, 2, *PYRAMID.levels[0].shape[:2])
    assert seen[0, 0, 5:10, 10].all() and seen[1, 1, 5:10, 10].all()
    assert seen[1, 0, 38, 83:92].all() and seen[0, 1, 38, 83:92].all()
    assert seen[:, 1, 25, 50].all() and not seen[:, 0, 25, 50].any()


@torch.inference_mode()
def test_an_object_that_is_not_there_is_left_to_the_classifier(classifier: Tensor) -> None:
    carries = propagator(classifier, find_weights(DEFAULT))
    first, second, _ = carries.observations(0, FRAMES)
    gone = torch.zeros_like(torch.sigmoid(classifier[0]))
    memory = carries.remember(first, gone, UNDRAWN)
    torch.testing.assert_close(carries.step(second, gone, memory), classifier[1])

    nothing = propagator(torch.full_like(classifier, -3.0), find_weights(DEFAULT))
    first, second, _ = nothing.observations(0, FRAMES)
    memory = nothing.remember(first, torch.sigmoid(classifier[0]), UNDRAWN)
    assert (nothing.step(second, gone, memory) == -3.0).all()
    assert (nothing.begin(first, UNDRAWN) == -3.0).all()
    assert not nothing.labels(first.classifier).any()


@torch.inference_mode()
def test_a_mask_that_fills_the_frame(classifier: Tensor) -> None:
    full = propagator(torch.full_like(classifier[:, :1], 3.0), find_weights(DEFAULT))
    first, second, _ = full.observations(0, FRAMES)
    memory = full.remember(first, torch.ones_like(first.classifier), UNDRAWN)
    logits = full.step(second, torch.ones_like(first.classifier), memory)
    assert logits.shape == first.classifier.shape and torch.isfinite(logits).all()
    assert (full.labels(second.classifier) == 1).all()


def test_labels_are_the_objects_ids_at_the_clips_size(classifier: Tensor, untrained: Path) -> None:
    labels = propagator(classifier, untrained).labels(classifier[0])
    assert labels.shape == SIZE and labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 1, 7}
    assert labels[30, 40] == 1 and labels[150, 350] == 7
