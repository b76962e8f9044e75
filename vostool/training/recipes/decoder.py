"""Beyond the paper: the decoder, on simulated rounds of interaction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vostool.backbones import DEFAULT, Backbone, find_network, load_backbone
from vostool.checkpoints import TRAINED_ON, read_tensors, write_weights
from vostool.decoder.clip import DecoderClip
from vostool.decoder.network import Decoder
from vostool.decoder.predictor import DecoderPredictor
from vostool.decoder.shape import PRIOR_STRIDE
from vostool.decoder.torch_networks import TorchNetworks
from vostool.errors import ClipError, WeightsError
from vostool.pipeline.progress import Progress
from vostool.pyramid import Level, Pyramid
from vostool.training.loss import label_loss, share_loss
from vostool.training.recipes import Setting, initial_weights
from vostool.training.sampler import ShotSampler
from vostool.training.simulation import (
    ShotFeatures,
    Simulation,
    at_pixels,
    read_shot,
    simulate,
)
from vostool.training.trainer import Group

WEIGHTS = "decoder.safetensors"
"""What a training leaves in its folder."""
FIRST_ROUNDS = 0.35
"""The share of the decoder's iterations that end after the first round, the hardest."""
MOST_ROUNDS = 4
"""Rounds that the others play at most."""
DECODED = 4
"""Frames of a shot that are decoded for the loss, the last annotated one among them."""
ELSEWHERE = 0.1
"""The share of iterations in which the strokes were drawn on another clip: nothing is carried."""
CARRIED = 0.5
"""What the loss of carried labels weighs, against that of masks."""
PROPAGATOR_SHARE = 4.0
"""Of the learning rate, for what carries labels."""
AT_STRIDE_16 = "read_features.2.weight"
BOTH_STRIDES = ("propagator.describe.weight", "propagator.read_features.weight")
"""What reads the features of stride 16, and what reads those of stride 32 behind them."""
ATTEMPTS = 100
"""Shots in a row without an object that can be marked, before training gives up."""


def decoder(setting: Setting, *, backbone: str, weights: str | None) -> DecoderTask:
    """The network that makes masks of the classifier's scores.

    Args:
        setting: of the training.
        backbone: the network whose features it reads.
        weights: of the backbone: a file, or None to look where they are kept.
    """
    return DecoderTask(setting, backbone, weights)


def new_decoder(seed: int = 0, backbone: str = DEFAULT) -> Decoder:
    """An untrained decoder for a network's features."""
    torch.manual_seed(seed)
    return Decoder(find_network(backbone).stride_channels)


def begin_from(decoder: Decoder, file: Path) -> None:
    """Give a decoder the weights of another, which may have known less evidence.

    What the other had not is as in an untrained decoder; convolutions that read more than they did
    begin with zeros for what is new, and what is new at stride 16 comes before stride 32. So is
    ``presence``, which is learnt of the decoder at its end.

    Raises:
        WeightsError: the file cannot be read, or has a tensor that is no decoder's.
    """
    state, theirs = decoder.state_dict(), read_tensors(file)
    for name, tensor in theirs.items():
        if name.startswith("presence."):
            continue
        ours = name.replace("read_score.", "read_evidence.")  # as in version 0.1
        if ours not in state or state[ours].dim() != tensor.dim():
            raise WeightsError(f"{file}: its {name} is no decoder's; wrong network?")
        here = [slice(0, length) for length in tensor.shape]
        widened = torch.zeros_like(state[ours])
        if ours in BOTH_STRIDES:
            fine = theirs[AT_STRIDE_16].shape[1]
            widened[:, fine - tensor.shape[1] :] = tensor[:, fine:]
            here[1] = slice(0, fine)
        widened[tuple(here)] = tensor[tuple(here)].float()
        state[ours] = widened
    decoder.load_state_dict(state)


class DecoderTask:
    """A :class:`vostool.training.recipes.Task`.

    Args:
        setting: of the training.
        backbone: the network whose features are read.
        weights: of the backbone.
        step: what is optimised.
    """

    def __init__(
        self,
        setting: Setting,
        backbone: str,
        weights: str | None,
        step: type[DecoderStep] | None = None,
    ) -> None:
        self._backbone, self._weights = backbone, weights
        self.network = new_decoder(setting.seed, backbone)
        if setting.init is not None:
            begin_from(self.network, initial_weights(setting.init, WEIGHTS))
        self.step = (step or DecoderStep)(
            self.network,
            load_backbone(backbone, str(setting.device), weights),
            setting.sampler,
            setting.device,
        )
        self.settings: dict[str, Any] = {}

    def prepare(self, progress: Progress) -> None:
        """Nothing is made beforehand."""

    def write(self, out: Path) -> list[Path]:
        """The decoder."""
        reads = find_network(self._backbone).fingerprint(self._weights)
        write_weights(out / WEIGHTS, self.network.state_dict(), {TRAINED_ON: reads})
        return [out / WEIGHTS]


class DecoderStep:
    """The decoder on simulated rounds of interaction.

    Args:
        decoder: what is trained.
        backbone: whose features it reads; fixed.
        sampler: of each iteration's shot.
        device: where it runs.
    """

    def __init__(
        self,
        decoder: Decoder,
        backbone: Backbone,
        sampler: ShotSampler,
        device: torch.device,
    ) -> None:
        self._decoder = decoder.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._backbone, self._sampler = backbone, sampler
        self._device = device

    def groups(self) -> list[Group]:
        """What is trained; what carries labels is new, and small, and learns faster."""
        propagator = list(self._decoder.propagator.parameters())
        theirs = {id(parameter) for parameter in propagator}
        others = [p for p in self._decoder.parameters() if id(p) not in theirs]
        return [Group(others), Group(propagator, PROPAGATOR_SHARE)]

    def loss(self, iteration: int) -> Tensor:
        """The loss of one iteration, the same whenever it is asked for.

        Raises:
            ClipError: shot after shot, no object is large enough to be marked.
        """
        for attempt in range(ATTEMPTS):
            rng = self._sampler.rng(iteration, attempt)
            shot = self._sampler.shot(rng)
            reading = read_shot(shot.images, self._backbone)
            rounds = 1 if rng.random() < FIRST_ROUNDS else int(rng.integers(2, MOST_ROUNDS + 1))
            if simulated := simulate(shot, reading, self._decoder, rounds, rng):
                return self._loss(reading, simulated, rng)
        raise ClipError("nothing to train on: no object in these shots can be marked")

    def _loss(
        self, reading: ShotFeatures, simulated: Simulation, rng: np.random.Generator
    ) -> Tensor:
        """Of what is carried through the shot, and of the masks of the last annotated frame and of
        some others."""
        adapter, pyramid = simulated.adapter, reading.pyramid
        if rng.random() < ELSEWHERE:
            (here,) = adapter.clips
            adapter = replace(adapter, clips=(replace(here, features_key="of another clip"),))
        predictor = DecoderPredictor(DecoderClip(reading, TorchNetworks(self._decoder)), adapter)
        labels = torch.from_numpy(np.searchsorted(adapter.object_ids, simulated.truth))
        labels = labels.to(self._device)
        losses = []
        true = functional.one_hot(labels, len(adapter.object_ids)).movedim(3, 1).float()
        stride = pyramid.levels[0].stride
        rows, columns = (torch.from_numpy(m).to(true) for m in pyramid.onto(_coarse(pyramid))[0])
        true = rows @ true[:, :, ::stride, ::stride] @ columns
        carried = [(t, predictor.priors.of(t)) for t in range(reading.frames)]
        for t, prior in carried:
            if prior is not None:
                losses.append(share_loss(prior, true[t]))
        others = rng.permutation([t for t in range(reading.frames) if t != simulated.annotated[-1]])
        frames = [simulated.annotated[-1], *others[: DECODED - 1].tolist()]
        logits = torch.cat(
            [
                one
                for t in frames
                for one in predictor.logits(t, [level[t : t + 1] for level in reading.features])
            ]
        )
        loss = label_loss(at_pixels(logits, pyramid), labels[frames])
        if losses:
            loss = loss + CARRIED * torch.stack(losses).mean()
        return loss


def _coarse(pyramid: Pyramid) -> Level:
    return next(level for level in pyramid.backbone.levels if level.stride == PRIOR_STRIDE)
