"""A network at work takes as many frames at once as memory lets it."""

from __future__ import annotations

import numpy as np
import torch

from vostool.backbones.architecture import Architecture, FeatureExtractor
from vostool.backbones.backbone import LevelShape
from vostool.backbones.torch_backbone import TorchBackbone


class Greedy(FeatureExtractor):
    """Takes two frames at once and no more."""

    most = 0

    def stages(self, x: torch.Tensor) -> list[torch.Tensor]:
        if len(x) > 2:
            raise torch.OutOfMemoryError("too many")
        Greedy.most = max(Greedy.most, len(x))
        return [x[:, :, ::8, ::8]]


def test_frames_go_together_as_far_as_memory_lets_them() -> None:
    architecture = Architecture(
        build=Greedy,
        rename=lambda name: name,
        normalise=lambda frames: frames.permute(0, 3, 1, 2).float() + 1,
        shapes=(LevelShape(8, (0,), 3),),
    )
    running = TorchBackbone(architecture, None, torch.device("cpu"))
    running._at_once = None  # as on a GPU
    frames = np.random.default_rng(0).integers(0, 255, (8, 16, 24, 3)).astype(np.uint8)
    together = running.features(frames)
    assert Greedy.most == 2
    for n, frame in enumerate(frames):
        np.testing.assert_array_equal(running.features(frame[None])[0][0], together[0][n])
