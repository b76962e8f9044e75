"""Masks through the shipped decoder."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vostool.backbones import DEFAULT, find_network
from vostool.backbones.efficientnet_lite import ARCHITECTURE
from vostool.checkpoints import TRAINED_ON, read_metadata
from vostool.decoder import WEIGHTS
from vostool.decoder.predictor import FRAMES_AT_ONCE, DecoderPredictor
from vostool.pipeline.predictors import LinearPredictor
from vostool.pyramid import Pyramid
from vostool.weights import find_weights

SIZE = (96, 128)
PYRAMID = Pyramid(SIZE, SIZE, ARCHITECTURE.levels(*SIZE))
CPU = torch.device("cpu")


def random_features(frames: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=(frames, *level.shape)).astype(np.float16) for level in PYRAMID.levels]


def test_the_shipped_decoder_reads_the_default_backbone() -> None:
    reads = read_metadata(find_weights(WEIGHTS))[TRAINED_ON]
    assert reads == find_network(DEFAULT).fingerprint()


def test_sure_scores_stay_as_they_are() -> None:
    """Far from any doubt the decoder has nothing to add, for any ids and any number of frames."""
    frames = FRAMES_AT_ONCE + 1
    features = [np.zeros((frames, *level.shape), np.float16) for level in PYRAMID.levels]
    _, third, *_ = features
    third[:, :, :8, 0] = 1  # the left half
    third[:, :, 8:, 1] = 1
    W = np.zeros((PYRAMID.channels, 3))
    W[24, 1], W[25, 2] = 40.0, 40.0
    labels = DecoderPredictor(PYRAMID, W, (0, 4, 9), CPU).masks(features)
    assert labels.shape == (frames, *SIZE) and labels.dtype == np.uint8
    assert (labels[:, 10:-10, 10:50] == 4).all() and (labels[:, 10:-10, 78:-10] == 9).all()
    assert (labels == LinearPredictor(PYRAMID, W, (0, 4, 9)).masks(features)).mean() > 0.9


def test_masks_of_one_frame_are_those_of_many() -> None:
    features, W = random_features(3), np.random.default_rng(1).normal(size=(PYRAMID.channels, 2))
    decoding = DecoderPredictor(PYRAMID, W, (0, 1), CPU)
    together = decoding.masks(features)
    alone = [decoding.masks([level[t : t + 1] for level in features])[0] for t in range(3)]
    assert (together == np.stack(alone)).mean() > 0.999, "but for a rounding here and there"


@pytest.mark.parametrize("object_ids", [(0, 3), (0, 1, 254)])
def test_only_its_own_ids_appear(object_ids: tuple[int, ...]) -> None:
    W = np.random.default_rng(2).normal(size=(PYRAMID.channels, len(object_ids)))
    labels = DecoderPredictor(PYRAMID, W, object_ids, CPU).masks(random_features(1))
    assert set(np.unique(labels)) <= set(object_ids)
