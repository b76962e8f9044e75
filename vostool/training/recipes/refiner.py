"""The propagation network's training: masks travel through shots that were simulated beforehand.

As the cited paper trains RGMP (§3.2): on photos in motion first, then on videos, with a span of
frames that grows while the training goes on, back-propagated through time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vostool.backbones import DEFAULT, Backbone, find_network, load_backbone
from vostool.checkpoints import TRAINED_ON, fingerprint, load_weights, write_weights
from vostool.decoder import WEIGHTS as SHIPPED_DECODER
from vostool.decoder.network import SCORE_GAIN, Decoder, halved
from vostool.errors import ClipError
from vostool.mask_propagation.network import NetworkInput, PropagationNetwork, Reference
from vostool.mask_propagation.roi import ROI, roi_around
from vostool.mask_propagation.strokes import marks_on_finest
from vostool.pipeline.progress import Progress
from vostool.precision import mixed_precision
from vostool.strnn.context import load_rnn
from vostool.strnn.model import SpatioTemporalRNN
from vostool.training.loss import mask_loss
from vostool.training.recipes import Setting, initial_weights
from vostool.training.recipes.decoder import ATTEMPTS, new_decoder
from vostool.training.sampler import ShotSampler
from vostool.training.simulation import Simulation, at_pixels, decode, read_shot, simulate
from vostool.training.trainer import Group
from vostool.weights import find_weights

WEIGHTS = "refine.safetensors"
"""What a training leaves in its folder."""
MOST_ROUNDS = 3
"""Rounds that are simulated before, at most: a shot has few frames."""
LATE = 0.5
"""The share of iterations in which the classifier has not heard of the last strokes. On what the
decoder was trained on it errs less than it will; so the strokes contradict it, as they will."""
UNDECODED = 0.1
"""The share in which the network is shown the classifier's own answer, as under ``paper``."""
COARSER = 0.2
"""What the losses of coarser strides weigh together, against the finest one's."""
GROWN = 0.6
"""The part of the training after which a mask travels through the whole shot."""


def refiner(setting: Setting, *, weights: str | None, model: str) -> RefinerTask:
    """The network by which masks travel from frame to frame.

    Args:
        setting: of the training.
        weights: of the default backbone: a file, or None to look where they are kept.
        model: the RNN's weights: the name of shipped ones or a file.
    """
    return RefinerTask(setting, weights, find_weights(model))


def new_propagation(seed: int = 0) -> PropagationNetwork:
    """An untrained propagation network for the default network's features."""
    torch.manual_seed(seed)
    shapes = find_network(DEFAULT).architecture.shapes
    return PropagationNetwork([shape.channels for shape in shapes])


class RefinerTask:
    """A :class:`vostool.training.recipes.Task`.

    Args:
        setting: of the training.
        weights: of the default backbone.
        rnn: the file of the RNN's.
    """

    def __init__(self, setting: Setting, weights: str | None, rnn: Path) -> None:
        self._weights = weights
        self.network = new_propagation(setting.seed)
        if setting.init is not None:
            load_weights(self.network, initial_weights(setting.init, WEIGHTS))
        decoder = new_decoder()
        shipped = find_weights(SHIPPED_DECODER)
        load_weights(decoder, shipped)
        self.step = RefineStep(
            self.network,
            decoder,
            load_backbone(DEFAULT, setting.device, weights),
            load_rnn(rnn),
            setting.sampler,
            setting.iterations,
            setting.device,
        )
        self.settings: dict[str, Any] = {
            "model": fingerprint(rnn),
            "decoder": fingerprint(shipped),
        }

    def prepare(self, progress: Progress) -> None:
        """Nothing is made beforehand."""

    def write(self, out: Path) -> list[Path]:
        """The propagation network."""
        reads = find_network(DEFAULT).fingerprint(self._weights)
        write_weights(out / WEIGHTS, self.network.state_dict(), {TRAINED_ON: reads})
        return [out / WEIGHTS]


class RefineStep:
    """Masks travel from an annotated frame to the end of a shot.

    Args:
        network: what is trained.
        decoder: makes the masks that are corrected while a shot is simulated; fixed.
        backbone: whose features all read; fixed.
        rnn: whose context the classifier reads too; fixed.
        sampler: of each iteration's shot.
        iterations: of the whole training, over which spans grow.
        device: where it runs.
    """

    def __init__(
        self,
        network: PropagationNetwork,
        decoder: Decoder,
        backbone: Backbone,
        rnn: SpatioTemporalRNN,
        sampler: ShotSampler,
        iterations: int,
        device: torch.device,
    ) -> None:
        self._network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._decoder = decoder.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._backbone, self._rnn, self._sampler = backbone, rnn.to(device), sampler
        self._iterations = iterations

    def groups(self) -> list[Group]:
        """What is trained."""
        return [Group(list(self._network.parameters()))]

    def span(self, iteration: int) -> int:
        """How many frames a mask travels at most, in one iteration: from one to the whole shot."""
        furthest = self._sampler.frames - 1
        return min(furthest, 1 + int(furthest * iteration / (GROWN * self._iterations)))

    def loss(self, iteration: int) -> Tensor:
        """The loss of one iteration, the same whenever it is asked for.

        Raises:
            ClipError: shot after shot, no object is large enough to be marked.
        """
        for attempt in range(ATTEMPTS):
            rng = self._sampler.rng(iteration, attempt)
            shot = self._sampler.shot(rng)
            reading = read_shot(shot.images, self._backbone, self._rnn)
            rounds = int(rng.integers(1, MOST_ROUNDS + 1))
            simulation = simulate(shot, reading, self._decoder, rounds, rng)
            if simulation is None:
                continue
            classifier = self._classifier(simulation, rng)
            path = path_of(simulation, self.span(iteration), rng)
            loss = travel_loss(self._network, simulation, classifier, path)
            if loss.requires_grad:  # else the object was nowhere to be seen on the way
                return loss
        raise ClipError("nothing to train on: no object in these shots can be marked")

    @torch.no_grad()
    def _classifier(self, simulation: Simulation, rng: np.random.Generator) -> Tensor:
        """Logits (T, h, w) that the network is to begin from."""
        if rng.random() < UNDECODED:
            return simulation.scores[:, 0] * SCORE_GAIN
        late = simulation.earlier is not None and rng.random() < LATE
        scores = (
            simulation.earlier if late and simulation.earlier is not None else simulation.scores
        )
        return decode(self._decoder, simulation.levels, scores, simulation.pyramid)[:, 0]


def path_of(simulation: Simulation, span: int, rng: np.random.Generator) -> list[int]:
    """The frames through which a mask travels: an annotated one, and then outwards one way.

    Args:
        simulation: the shot.
        span: how many frames from the annotated one, at most.
        rng: decides which annotated frame, and which way.
    """
    start = int(rng.choice(sorted(simulation.marks)))
    last = len(simulation.truth) - 1
    forward, backward = (
        range(start, min(last, start + span) + 1),
        range(start, max(0, start - span) - 1, -1),
    )
    ways = [list(way) for way in (forward, backward) if len(way) > 1] or [[start]]
    return ways[int(rng.integers(0, len(ways)))]


def travel_loss(
    network: PropagationNetwork, simulation: Simulation, classifier: Tensor, path: Sequence[int]
) -> Tensor:
    """The loss of a mask that travels along a path, mean over its frames.

    Each frame is seen through the roi through which it would be seen at work.

    Args:
        network: in float32.
        simulation: the shot, with its strokes and the truth.
        classifier: (T, h, w) logits at the finest stride.
        path: the frames, the annotated one first.
    """
    way = _Way(network, simulation, classifier)
    total = classifier.sum() * 0
    for t in path:
        logits, roi, coarser = way.step(t)
        truth = torch.from_numpy(simulation.truth[t]).to(logits)
        total = total + mask_loss(at_pixels(logits[None, None], way.whole)[0], truth[None])
        if roi is None:
            continue
        stride = way.pyramid.levels[0].stride
        there = roi.cut(truth[::stride, ::stride], way.pyramid)[None, None]
        for level in coarser:
            there = halved(there)
            coarse = functional.binary_cross_entropy_with_logits(level, there)
            total = total + COARSER / len(coarser) * coarse
    return total / len(path)


class _Way:
    """A mask on its way through a shot."""

    def __init__(
        self, network: PropagationNetwork, simulation: Simulation, classifier: Tensor
    ) -> None:
        self._network, self._simulation, self._classifier = network, simulation, classifier
        self.whole = simulation.pyramid
        self.pyramid = self.whole.backbone
        self._mask: Tensor | None = None
        self._anchor = -1
        self._anchor_mask = classifier[0]
        self._references: dict[tuple[int, int], Reference] = {}

    def step(self, t: int) -> tuple[Tensor, ROI | None, list[Tensor]]:
        """The next frame: its logits (h, w), the roi, and the logits of coarser strides."""
        classifier = self._classifier[t]
        first = self._mask is None
        mask = torch.sigmoid(classifier) if self._mask is None else self._mask
        marks = self._marks(t)
        where = (classifier > 0) | (mask > 0.5) | (marks.amax(dim=0) > 0)
        roi = roi_around(where, self.pyramid)
        logits, coarser = classifier.clone(), []
        reference = None if first or roi is None else self._reference(roi)
        if roi is not None and (first or reference is not None):
            shown = self._input(t, mask, roi)
            with mixed_precision(classifier.device):
                every = [level.float() for level in self._network(shown, reference)]
            roi.cut(logits, self.pyramid).copy_(every[0][0, 0])
            coarser = every[1:]
        self._mask = torch.sigmoid(logits)
        if first:
            self._anchor, self._anchor_mask = t, self._mask
        return logits, roi, coarser

    def _reference(self, roi: ROI) -> Reference | None:
        size = roi.height, roi.width
        around = roi_around(self._anchor_mask > 0.5, self.pyramid)
        if size not in self._references and around is not None:
            around = around.as_large_as(roi, self.pyramid)
            shown = self._input(self._anchor, self._anchor_mask, around)
            with mixed_precision(self._anchor_mask.device):
                self._references[size] = self._network.reference(shown)
        return self._references.get(size)

    def _input(self, t: int, mask: Tensor, roi: ROI) -> NetworkInput:
        backbone = self.whole.of_backbone(self._simulation.levels)
        features = [level[t].permute(2, 0, 1) for level in backbone]
        return roi.network_input(self.pyramid, features, self._classifier[t], mask, self._marks(t))

    def _marks(self, t: int) -> Tensor:
        marks = marks_on_finest(self.pyramid, self._simulation.marks.get(t), 1)
        return marks.to(self._classifier)
