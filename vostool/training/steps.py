"""The two steps of §2.4.1 and the decoder's: what each trains, on what, and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from vostool.backbones import Backbone
from vostool.backbones.architecture import Architecture
from vostool.decoder.network import Decoder
from vostool.errors import ClipError
from vostool.pipeline import Progress
from vostool.pyramid import Pyramid
from vostool.strnn.model import SpatioTemporalRNN
from vostool.training.data import Shot, Source
from vostool.training.loss import context_loss, squared_distance_to_nearest
from vostool.training.network import ContextNetwork
from vostool.training.rounds import at_pixels, decode, play, read_shot
from vostool.training.trainer import Group

FIRST_ROUNDS = 0.35
"""The share of the decoder's iterations that end after the first round, the hardest."""
MOST_ROUNDS = 4
"""Rounds that the others play at most."""
ATTEMPTS = 100
"""Shots in a row without an object that can be marked, before training gives up."""
SMALLEST_UNIT = 1e-12
BACKBONE_SHARE = 0.1
"""The backbone's part of the learning rate: it begins trained, the RNN does not."""


@dataclass(frozen=True)
class Drawing:
    """How shots are drawn.

    Attributes:
        roots: the sources of each root; every root is drawn from as often as any other.
        frames, size: of a shot; the size is (H, W).
        seed: decides, with a number, what is drawn.
    """

    roots: Sequence[Sequence[Source]]
    frames: int
    size: tuple[int, int]
    seed: int

    def rng(self, *number: int) -> np.random.Generator:
        """The chance that belongs to a number."""
        return np.random.default_rng((self.seed, *number))

    def shot(self, rng: np.random.Generator) -> Shot:
        """A shot of some source."""
        root = self.roots[int(rng.integers(0, len(self.roots)))]
        source = root[int(rng.integers(0, len(root)))]
        return source.shot(self.frames, self.size, rng)


class Step1:
    """No temporal connections; the backbone and the spatial RNN together.

    Args:
        network: what is trained.
        drawing: of each iteration's shot.
        device: where it runs.
    """

    def __init__(self, network: ContextNetwork, drawing: Drawing, device: torch.device) -> None:
        self._network, self._drawing, self._device = network, drawing, device

    def groups(self) -> list[Group]:
        """What is trained; the temporal K waits for step 2."""
        return [
            Group(list(self._network.backbone.parameters()), BACKBONE_SHARE),
            Group(_of_rnn(self._network, but=("K_time", "c"))),
        ]

    def loss(self, iteration: int) -> Tensor:
        """The loss of one iteration, the same whenever it is asked for."""
        rng = self._drawing.rng(iteration)
        shot = self._drawing.shot(rng)
        images = torch.from_numpy(shot.images).to(self._device)
        levels = self._network.levels(images)
        context = self._network.context(levels, (shot.masks.shape[1], shot.masks.shape[2]))
        return shot_loss(context, labels_of_vertices(shot, self._network.architecture), rng)


class FixedBackbone:
    """The backbone is fixed, and the RNN is tuned: the whole of it in step 2, in step 1 without K.

    The backbone's features of a number of shots are made once and kept on disk, so that an
    iteration spends its time in the RNN.

    Args:
        network: whose RNN is trained.
        drawing: of the shots.
        device: where it runs.
        temporal: frames hear of the one before, as in step 2.
        shots: how many are drawn, once and for all.
        folder: where their features are kept.
    """

    def __init__(
        self,
        network: ContextNetwork,
        drawing: Drawing,
        device: torch.device,
        *,
        temporal: bool,
        shots: int,
        folder: Path,
    ) -> None:
        self._network, self._drawing, self._device = network, drawing, device
        self._temporal, self._shots, self._folder = temporal, shots, folder

    def groups(self) -> list[Group]:
        """What is trained."""
        return [Group(_of_rnn(self._network, but=("c",) if self._temporal else ("K_time", "c")))]

    @torch.no_grad()
    def prepare(self, progress: Progress) -> None:
        """Make the features of the shots that are not there yet."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in range(self._shots):
            file = self._file(number)
            if file.exists():
                continue
            shot = self._drawing.shot(self._drawing.rng(2, number))
            levels = self._network.levels(torch.from_numpy(shot.images).to(self._device))
            content = {
                **{f"level{n}": level.half().cpu() for n, level in enumerate(levels)},
                "labels": torch.from_numpy(labels_of_vertices(shot, self._network.architecture)),
                "size": torch.tensor(shot.masks.shape[1:]),
            }
            aside = file.with_suffix(".aside")
            torch.save(content, aside)
            aside.replace(file)
            progress(number + 1, self._shots)

    def loss(self, iteration: int) -> Tensor:
        """The loss of one iteration, the same whenever it is asked for."""
        rng = self._drawing.rng(iteration)
        file = self._file(int(rng.integers(0, self._shots)))
        content: dict[str, Tensor] = torch.load(file, weights_only=True)
        count = len(self._network.architecture.shapes)
        levels = [content[f"level{n}"].to(self._device).float() for n in range(count)]
        height, width = content["size"].tolist()
        context = self._network.context(levels, (height, width))
        return shot_loss(context, content["labels"].numpy(), rng)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:05d}.pt"


class DecoderStep:
    """Beyond the paper: the decoder, on simulated rounds of interaction.

    Args:
        decoder: what is trained.
        backbone: whose features it reads; fixed.
        rnn: whose context the classifier reads too; fixed.
        drawing: of each iteration's shot.
        device: where it runs.
    """

    def __init__(
        self,
        decoder: Decoder,
        backbone: Backbone,
        rnn: SpatioTemporalRNN,
        drawing: Drawing,
        device: torch.device,
    ) -> None:
        self._decoder = decoder.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._backbone, self._rnn, self._drawing = backbone, rnn.to(device), drawing

    def groups(self) -> list[Group]:
        """What is trained."""
        return [Group(list(self._decoder.parameters()))]

    def loss(self, iteration: int) -> Tensor:
        """The loss of one iteration, the same whenever it is asked for.

        Raises:
            ClipError: shot after shot, no object is large enough to be marked.
        """
        for attempt in range(ATTEMPTS):
            rng = self._drawing.rng(iteration, attempt)
            shot = self._drawing.shot(rng)
            reading = read_shot(shot.images, self._backbone, self._rnn)
            rounds = 1 if rng.random() < FIRST_ROUNDS else int(rng.integers(2, MOST_ROUNDS + 1))
            if played := play(shot, reading, self._decoder, rounds, rng):
                logits = decode(self._decoder, played.levels, played.scores)
                logits = at_pixels(logits, played.pyramid)[:, 0]
                return mask_loss(logits, torch.from_numpy(played.truth).to(logits))
        raise ClipError("nothing to train on: no object in these shots can be marked")


def mask_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy, and half of Dice's, which weighs a small object as much as a large one.

    Args:
        logits: (T, H, W).
        truth: (T, H, W), 0 or 1.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, truth)
    share = torch.sigmoid(logits)
    both, either = (share * truth).sum((1, 2)), (share + truth).sum((1, 2))
    return entropy + 0.5 * (1 - (2 * both + 1) / (either + 1)).mean()


def labels_of_vertices(shot: Shot, architecture: Architecture) -> npt.NDArray[np.uint8]:
    """(T, h, w): the label of the pixel on which each vertex of the pyramid's grid is centred."""
    size = shot.masks.shape[1], shot.masks.shape[2]
    stride = Pyramid(size, size, architecture.levels(*size)).grid.stride
    return np.ascontiguousarray(shot.masks[:, ::stride, ::stride])


def shot_loss(context: Tensor, labels: npt.NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """Eq. 4 on one shot, mean over anchors: a frame drawn at random is the anchor, the others pool.

    Distances are in units of the features' own spread; see :func:`unit_of_distance`.

    Args:
        context: (T, h, w, C).
        labels: (T, h, w); each object in turn is the foreground, and all else the background.
        rng: draws the anchor frame.
    """
    frames = len(labels)
    anchor = int(rng.integers(0, frames))
    pool = [t for t in range(frames) if t != anchor]
    here, there = torch.from_numpy(labels[anchor]), torch.from_numpy(labels[pool])
    anchors_in_all, total = 0, context.sum() * 0
    for label in np.unique(labels[anchor]):
        if label == 0 or not (labels[pool] == label).any():
            continue
        anchors = context[anchor][here == int(label)]
        inside = there == int(label)
        positives, negatives = context[pool][inside], context[pool][~inside]
        if not len(negatives):
            continue
        length = unit_of_distance(anchors, negatives).sqrt()
        total = total + context_loss(anchors / length, positives / length, negatives / length)
        anchors_in_all += len(anchors)
    return total / max(1, anchors_in_all)


def unit_of_distance(anchors: Tensor, negatives: Tensor) -> Tensor:
    """The median of the anchors' squared distances to their nearest negatives, a scalar.

    Eq. 4 taken as it stands has a trivial minimum: against α, features that are all alike cost
    nothing. Divided by this unit they cannot shrink; nor does it help to move most of the
    background far away, as it would with a unit of distances to all negatives.
    """
    return squared_distance_to_nearest(anchors, negatives).median() + SMALLEST_UNIT


def _of_rnn(network: ContextNetwork, but: tuple[str, ...]) -> list[torch.nn.Parameter]:
    """The RNN's parameters but for some.

    c shifts all features alike, which Eq. 4 does not see; Adam would walk it about at random.
    """
    return [p for name, p in network.rnn.named_parameters() if name not in but]
