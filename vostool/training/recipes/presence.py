"""Beyond the paper: where the decoder need not look, learnt from the decoder itself.

A finished decoder's ``presence`` learns to tell, of what is known at stride 16, where the masks
that the whole decoder makes have pixels of an object. Nothing else is changed, so that masks stay
as they are wherever it is right.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vostool.backbones import DEFAULT
from vostool.decoder import WEIGHTS
from vostool.decoder.shape import FINE
from vostool.errors import WeightsError
from vostool.label_propagation.network import margin, with_background
from vostool.precision import mixed_precision
from vostool.training.recipes import Setting
from vostool.training.recipes.decoder import DecoderStep, DecoderTask
from vostool.training.rounds import Rounds
from vostool.training.trainer import Group
from vostool.weights import find_weights

READ = 4
"""Frames of a shot that are learnt from."""
MISSED = 20.0
"""What a vertex weighs that is missed, against one that is decoded for nothing: the one is a hole
in a mask, the other costs some microseconds."""


def presence(
    setting: Setting, *, backbone: str, weights: str | None, batch: int, workers: int
) -> DecoderTask:
    """What tells where an object may be.

    Args:
        setting: of the training, which begins from a decoder; for the default network's features
            by default from the shipped one.
        backbone: the network whose features the decoder reads.
        weights: of the backbone: a file, or None to look where they are kept.
        batch: shots of an iteration.
        workers: processes that make shots, and as many that draw strokes.

    Raises:
        WeightsError: there is no decoder to begin from.
    """
    if setting.init is None:
        if backbone != DEFAULT:
            raise WeightsError("presence is learnt of a decoder; give the folder of one as --init")
        setting = replace(setting, init=find_weights(WEIGHTS).parent)
    return DecoderTask(setting, backbone, weights, batch, workers, PresenceStep)


class PresenceStep(DecoderStep):
    """On simulated rounds of interaction, as the decoder learns."""

    def groups(self) -> list[Group]:
        """The one part that learns."""
        return [Group(list(self._decoder.presence.parameters()))]

    def _loss(self, rounds: Rounds, rng: np.random.Generator) -> Tensor:
        chosen = [rng.permutation(rounds.frames)[:READ] for _ in range(rounds.shots)]
        rows = [b * rounds.frames + t for b, some in enumerate(chosen) for t in some.tolist()]
        return presence_loss(rounds, torch.tensor(rows, device=self._device))


def presence_loss(rounds: Rounds, rows: Tensor) -> Tensor:
    """Cross-entropy of where objects are said to be, against the masks of the whole decoder.

    Args:
        rounds: whose decoder's ``presence`` alone gets gradients.
        rows: (N,) which of the B · T frames to learn from.
    """
    decoder = rounds.decoder
    with torch.no_grad():
        prior = rounds.priors()[rows]
        near = is_near(rounds.logits(rows, prior))
        with mixed_precision(near.device):
            each = rounds.each_object(rows, prior)
            coarse = decoder.coarse(each.read, [level[:, None] for level in each.evidence])[:, 0]
    with mixed_precision(near.device):
        said = decoder.where(coarse, each.evidence[FINE])[: len(each.row)]
    truth = near[each.row, each.number]
    return functional.binary_cross_entropy_with_logits(
        said.float(), truth, pos_weight=truth.new_tensor(MISSED)
    )


def is_near(logits: Tensor) -> Tensor:
    """Where, at stride 16, some pixel is an object's: (T, K, h, w), 1 or 0.

    A vertex speaks for the pixels that are nearer to it than to any other.

    Args:
        logits: (T, K, h, w) of masks, at stride 4.
    """
    wins = (margin(with_background(logits)) > 0).float()
    step = 2**FINE
    around = functional.pad(wins, (step // 2,) * 4)
    return functional.max_pool2d(around, step + 1, step)
