"""Beyond the paper: the decoder, on simulated rounds of interaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vostool.backbones import DEFAULT, Backbone, find_network, load_backbone
from vostool.checkpoints import TRAINED_ON, fingerprint, load_weights, write_weights
from vostool.decoder.network import Decoder
from vostool.errors import ClipError
from vostool.pipeline.progress import Progress
from vostool.strnn.context import load_rnn
from vostool.strnn.model import SpatioTemporalRNN
from vostool.training.loss import mask_loss
from vostool.training.recipes import Setting, initial_weights
from vostool.training.sampler import ShotSampler
from vostool.training.simulation import at_pixels, decode, read_shot, simulate
from vostool.training.trainer import Group
from vostool.weights import find_weights

WEIGHTS = "decoder.safetensors"
"""What a training leaves in its folder."""
FIRST_ROUNDS = 0.35
"""The share of the decoder's iterations that end after the first round, the hardest."""
MOST_ROUNDS = 4
"""Rounds that the others play at most."""
ATTEMPTS = 100
"""Shots in a row without an object that can be marked, before training gives up."""


def decoder(setting: Setting, *, weights: str | None, model: str) -> DecoderTask:
    """The network that makes masks of the classifier's scores.

    Args:
        setting: of the training.
        weights: of the default backbone: a file, or None to look where they are kept.
        model: the RNN's weights: the name of shipped ones or a file.
    """
    return DecoderTask(setting, weights, find_weights(model))


def new_decoder(seed: int = 0) -> Decoder:
    """An untrained decoder for the default network's features."""
    torch.manual_seed(seed)
    return Decoder([shape.channels for shape in find_network(DEFAULT).architecture.shapes])


class DecoderTask:
    """A :class:`vostool.training.recipes.Task`.

    Args:
        setting: of the training.
        weights: of the default backbone.
        rnn: the file of the RNN's.
    """

    def __init__(self, setting: Setting, weights: str | None, rnn: Path) -> None:
        self._weights = weights
        self.network = new_decoder(setting.seed)
        if setting.init is not None:
            load_weights(self.network, initial_weights(setting.init, WEIGHTS))
        backbone = load_backbone(DEFAULT, setting.device, weights)
        self.step = DecoderStep(
            self.network, backbone, load_rnn(rnn), setting.sampler, setting.device
        )
        self.settings: dict[str, Any] = {"model": fingerprint(rnn)}

    def prepare(self, progress: Progress) -> None:
        """Nothing is made beforehand."""

    def write(self, out: Path) -> list[Path]:
        """The decoder."""
        reads = find_network(DEFAULT).fingerprint(self._weights)
        write_weights(out / WEIGHTS, self.network.state_dict(), {TRAINED_ON: reads})
        return [out / WEIGHTS]


class DecoderStep:
    """The decoder on simulated rounds of interaction.

    Args:
        decoder: what is trained.
        backbone: whose features it reads; fixed.
        rnn: whose context the classifier reads too; fixed.
        sampler: of each iteration's shot.
        device: where it runs.
    """

    def __init__(
        self,
        decoder: Decoder,
        backbone: Backbone,
        rnn: SpatioTemporalRNN,
        sampler: ShotSampler,
        device: torch.device,
    ) -> None:
        self._decoder = decoder.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._backbone, self._rnn, self._sampler = backbone, rnn.to(device), sampler

    def groups(self) -> list[Group]:
        """What is trained."""
        return [Group(list(self._decoder.parameters()))]

    def loss(self, iteration: int) -> Tensor:
        """The loss of one iteration, the same whenever it is asked for.

        Raises:
            ClipError: shot after shot, no object is large enough to be marked.
        """
        for attempt in range(ATTEMPTS):
            rng = self._sampler.rng(iteration, attempt)
            shot = self._sampler.shot(rng)
            reading = read_shot(shot.images, self._backbone, self._rnn)
            rounds = 1 if rng.random() < FIRST_ROUNDS else int(rng.integers(2, MOST_ROUNDS + 1))
            if simulated := simulate(shot, reading, self._decoder, rounds, rng):
                logits = decode(
                    self._decoder, simulated.levels, simulated.scores, simulated.pyramid
                )
                logits = at_pixels(logits, simulated.pyramid)[:, 0]
                return mask_loss(logits, torch.from_numpy(simulated.truth).to(logits))
        raise ClipError("nothing to train on: no object in these shots can be marked")
