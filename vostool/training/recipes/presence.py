"""Beyond the paper: where the decoder need not look, learnt from the decoder itself.

A finished decoder's ``presence`` learns to tell, of what is known at stride 16, where the masks
that the whole decoder makes have pixels of an object. Nothing else is changed, so that masks stay
as they are wherever it is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vostool.backbones import DEFAULT
from vostool.decoder import WEIGHTS
from vostool.decoder.clip import DecoderClip
from vostool.decoder.evidence import Evidence
from vostool.decoder.network import Decoder
from vostool.decoder.predictor import DecoderPredictor
from vostool.decoder.shape import FINE
from vostool.decoder.torch_networks import TorchNetworks
from vostool.errors import WeightsError
from vostool.label_propagation.network import margin, with_background
from vostool.precision import mixed_precision
from vostool.training.recipes import Setting
from vostool.training.recipes.decoder import DecoderStep, DecoderTask
from vostool.training.simulation import ShotFeatures, Simulation
from vostool.training.trainer import Group
from vostool.weights import find_weights

READ = 4
"""Frames of a shot that are learnt from."""
MISSED = 20.0
"""What a vertex weighs that is missed, against one that is decoded for nothing: the one is a hole
in a mask, the other costs some microseconds."""


def presence(setting: Setting, *, backbone: str, weights: str | None) -> DecoderTask:
    """What tells where an object may be.

    Args:
        setting: of the training, which begins from a decoder; for the default network's features
            by default from the shipped one.
        backbone: the network whose features the decoder reads.
        weights: of the backbone: a file, or None to look where they are kept.

    Raises:
        WeightsError: there is no decoder to begin from.
    """
    if setting.init is None:
        if backbone != DEFAULT:
            raise WeightsError("presence is learnt of a decoder; give the folder of one as --init")
        setting = replace(setting, init=find_weights(WEIGHTS).parent)
    return DecoderTask(setting, backbone, weights, PresenceStep)


class PresenceStep(DecoderStep):
    """On simulated rounds of interaction, as the decoder learns."""

    def groups(self) -> list[Group]:
        """The one part that learns."""
        return [Group(list(self._decoder.presence.parameters()))]

    def _loss(
        self, reading: ShotFeatures, simulated: Simulation, rng: np.random.Generator
    ) -> Tensor:
        networks = TorchNetworks(self._decoder)
        predictor = DecoderPredictor(DecoderClip(reading, networks), simulated.adapter)
        losses = []
        for t in rng.permutation(reading.frames)[:READ].tolist():
            with torch.no_grad():
                features = [level[t : t + 1] for level in reading.features]
                every = [networks.given(inputs) for inputs in predictor.inputs(t, features)]
            with mixed_precision(self._device):
                losses += [presence_loss(self._decoder, *one) for one in every]
        return torch.stack(losses).mean()


def presence_loss(decoder: Decoder, levels: Sequence[Tensor], evidence: Evidence) -> Tensor:
    """Cross-entropy of where an object is said to be, against the masks of the whole decoder.

    Args:
        decoder: of which only ``presence`` gets gradients.
        levels: (T, C, h, w) a stride, finest first.
        evidence: of the same frames.
    """
    with torch.no_grad():
        read = decoder.read(levels)
        every = evidence.of_objects([level.shape[-2:] for level in read])
        coarse = decoder.coarse(read, every)
        truth = is_near(decoder(levels, evidence).float())
    said = decoder.where(coarse.flatten(0, 1), every[FINE].flatten(0, 1))
    return functional.binary_cross_entropy_with_logits(
        said.float(), truth.flatten(0, 1), pos_weight=truth.new_tensor(MISSED)
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
