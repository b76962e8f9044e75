"""Beyond the paper: the decoder, on simulated rounds of interaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vostool.adapter.sampling import Samples
from vostool.backbones import DEFAULT, Backbone, find_network, load_backbone
from vostool.checkpoints import TRAINED_ON, read_tensors, write_weights
from vostool.decoder.network import Decoder
from vostool.errors import WeightsError
from vostool.pipeline.progress import Progress
from vostool.training.batches import LOSSES, STROKES, Batches, Correction
from vostool.training.features import ShotsFeatures
from vostool.training.loss import label_loss, share_loss
from vostool.training.recipes import Setting, initial_weights
from vostool.training.rounds import Rounds, worst_frames
from vostool.training.sampler import ShotSampler
from vostool.training.trainer import Group

WEIGHTS = "decoder.safetensors"
"""What a training leaves in its folder."""
FIRST_ROUNDS = 0.35
"""The share of the decoder's iterations that end after the first round, the hardest."""
MOST_ROUNDS = 4
"""Rounds that the others play at most."""
DECODED = 4
"""Frames of a shot that are decoded for the loss, the last annotated one among them."""
DONE = 0.98
"""J of the worst frame above which a user has nothing to correct."""
ELSEWHERE = 0.1
"""The share of shots for which the strokes were drawn on another clip: nothing is carried."""
CARRIED = 0.5
"""What the loss of carried labels weighs, against that of masks."""
PROPAGATOR_SHARE = 4.0
"""Of the learning rate, for what carries labels."""
AT_STRIDE_16 = "read_features.2.weight"
BOTH_STRIDES = ("propagator.describe.weight", "propagator.read_features.weight")
"""What reads the features of stride 16, and what reads those of stride 32 behind them."""


def decoder(
    setting: Setting, *, backbone: str, weights: str | None, batch: int, workers: int
) -> DecoderTask:
    """The network that makes masks of the classifier's scores.

    Args:
        setting: of the training.
        backbone: the network whose features it reads.
        weights: of the backbone: a file, or None to look where they are kept.
        batch: shots of an iteration.
        workers: processes that make shots, and as many that draw strokes.
    """
    return DecoderTask(setting, backbone, weights, batch, workers)


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
        batch: shots of an iteration.
        workers: processes that make shots, and as many that draw strokes.
        step: what is optimised.
    """

    def __init__(
        self,
        setting: Setting,
        backbone: str,
        weights: str | None,
        batch: int,
        workers: int,
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
            batch,
            workers,
        )
        self.settings: dict[str, Any] = {}

    def prepare(self, progress: Progress) -> None:
        """Nothing is made beforehand."""

    def close(self) -> None:
        """End the processes that make shots and strokes."""
        self.step.close()

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
        sampler: of each iteration's shots.
        device: where it runs.
        batch: shots of an iteration.
        workers: processes that make shots, and as many that draw strokes; 0 does both here.
    """

    def __init__(
        self,
        decoder: Decoder,
        backbone: Backbone,
        sampler: ShotSampler,
        device: torch.device,
        batch: int = 1,
        workers: int = 0,
    ) -> None:
        self._decoder = decoder.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._backbone, self._sampler, self._device = backbone, sampler, device
        self._batches = Batches(sampler, batch, workers)

    def close(self) -> None:
        """End the processes that make shots and strokes."""
        self._batches.close()

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
        batch = self._batches.batch(iteration)
        rng = self._sampler.rng(iteration, LOSSES)
        features = ShotsFeatures.read(self._backbone, batch.images, self._device)
        rounds = Rounds(self._decoder, features, batch)
        samples = [[first.samples] for first in batch.first]
        wanted = 1 if rng.random() < FIRST_ROUNDS else int(rng.integers(2, MOST_ROUNDS + 1))
        for number in range(1, wanted):
            self._correct(rounds, samples, (self._sampler.seed, iteration, STROKES, number))
        return self._loss(rounds, rng)

    def _correct(self, rounds: Rounds, samples: list[list[Samples]], seed: tuple[int, ...]) -> None:
        """A round of corrections, on the worst frame of each shot."""
        masks = rounds.masks()
        frames, j = worst_frames(masks, rounds.truth)
        every = torch.arange(rounds.shots, device=self._device)
        shown = masks[every, frames].cpu().numpy(), rounds.truth[every, frames].cpu().numpy()
        asked = [
            Correction(truth, mask, frame, Samples.concat(samples[b]), (*seed, b))
            if worst <= DONE else None
            for b, (mask, truth, frame, worst) in enumerate(
                zip(*shown, frames.tolist(), j.tolist(), strict=True)
            )
        ]  # fmt: skip
        marks = self._batches.correct(asked)
        for known, one in zip(samples, marks, strict=True):
            if one is not None:
                known.append(one.samples)
        if any(one is not None for one in marks):
            rounds.learn(marks)

    def _loss(self, rounds: Rounds, rng: np.random.Generator) -> Tensor:
        """Of what is carried through the shots, and of the masks of the last annotated frame of
        each and of some others."""
        frames = []
        for b, annotated in enumerate(rounds.annotated):
            others = rng.permutation([t for t in range(rounds.frames) if t != annotated[-1]])
            chosen = [annotated[-1], *others[: DECODED - 1].tolist()]
            frames += [b * rounds.frames + t for t in chosen]
        elsewhere = np.flatnonzero(rng.random(rounds.shots) < ELSEWHERE)
        rounds.forget_strokes(elsewhere.tolist())
        priors = rounds.priors()
        rows = torch.tensor(frames, device=self._device)
        truth = rounds.truth.flatten(0, 1).long()
        logits = rounds.at_pixels(rounds.logits(rows, priors[rows]))
        loss = label_loss(logits, truth[rows], rounds.present[rows // rounds.frames])
        carried = priors.sum((1, 2, 3)) > 0
        if carried.any():
            true = rounds.at_coarse(truth[carried])
            loss = loss + CARRIED * share_loss(priors[carried], true)
        return loss
