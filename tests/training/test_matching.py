"""Frames of many shots match as two frames do."""

from __future__ import annotations

import torch

from vostool.label_propagation.matching import find_matches, match_labels
from vostool.training.matching import match_frames


def test_every_pair_of_frames_matches_as_it_would_alone() -> None:
    torch.manual_seed(0)
    descriptors = torch.nn.functional.normalize(torch.randn(2, 3, 8, 9, 11), dim=2)
    matches = match_frames(descriptors)
    labels = torch.rand(2, 2, 3, 9, 11).softmax(2)  # of two frames of each of two shots
    shot, here = torch.tensor([0, 1]), torch.tensor([2, 1])
    others = [torch.tensor([0, 0]), torch.tensor([1, 2])]
    temperature = torch.tensor(0.1)
    found, cosine = matches.labels(shot, here, others, [labels[:, 0], labels[:, 1]], temperature)
    for n in range(2):
        pairs = [
            find_matches(descriptors[shot[n], here[n]], descriptors[shot[n], other[n]])
            for other in others
        ]
        expected = match_labels(pairs, list(labels[n]), temperature)
        torch.testing.assert_close((found[n], cosine[n]), expected)
