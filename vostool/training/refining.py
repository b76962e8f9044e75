"""The propagation network's training: masks travel through shots that were played beforehand.

As the cited paper trains RGMP (§3.2): on photos in motion first, then on videos, with a span of
frames that grows while the training goes on, back-propagated through time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vostool.backbones import Backbone
from vostool.decoder.network import SCORE_GAIN, WIDTHS, Decoder, halved
from vostool.errors import ClipError
from vostool.precision import mixed_precision
from vostool.refine.network import Look, Propagation, Reference
from vostool.refine.strokes import marks_on_finest
from vostool.refine.window import Window, neighbourhood
from vostool.strnn.model import SpatioTemporalRNN
from vostool.training.rounds import Played, at_pixels, decode, play, read_shot
from vostool.training.steps import ATTEMPTS, Drawing, mask_loss
from vostool.training.trainer import Group

MOST_ROUNDS = 3
"""Rounds that are played before, at most: a shot has few frames."""
LATE = 0.5
"""The share of iterations in which the classifier has not heard of the last strokes. On what the
decoder was trained on it errs less than it will; so the strokes contradict it, as they will."""
UNDECODED = 0.1
"""The share in which the network is shown the classifier's own answer, as under ``paper``."""
COARSER = 0.2
"""What the losses of coarser strides weigh together, against the finest one's."""
GROWN = 0.6
"""The part of the training after which a mask travels through the whole shot."""


class RefineStep:
    """Masks travel from an annotated frame to the end of a shot.

    Args:
        network: what is trained.
        decoder: makes the masks that are corrected while a shot is played; fixed.
        backbone: whose features all read; fixed.
        rnn: whose context the classifier reads too; fixed.
        drawing: of each iteration's shot.
        iterations: of the whole training, over which spans grow.
        device: where it runs.
    """

    def __init__(
        self,
        network: Propagation,
        decoder: Decoder,
        backbone: Backbone,
        rnn: SpatioTemporalRNN,
        drawing: Drawing,
        iterations: int,
        device: torch.device,
    ) -> None:
        self._network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._decoder = decoder.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._backbone, self._rnn, self._drawing = backbone, rnn.to(device), drawing
        self._iterations = iterations

    def groups(self) -> list[Group]:
        """What is trained."""
        return [Group(list(self._network.parameters()))]

    def span(self, iteration: int) -> int:
        """How many frames a mask travels at most, in one iteration: from one to the whole shot."""
        furthest = self._drawing.frames - 1
        return min(furthest, 1 + int(furthest * iteration / (GROWN * self._iterations)))

    def loss(self, iteration: int) -> Tensor:
        """The loss of one iteration, the same whenever it is asked for.

        Raises:
            ClipError: shot after shot, no object is large enough to be marked.
        """
        for attempt in range(ATTEMPTS):
            rng = self._drawing.rng(iteration, attempt)
            shot = self._drawing.shot(rng)
            reading = read_shot(shot.images, self._backbone, self._rnn)
            rounds = int(rng.integers(1, MOST_ROUNDS + 1))
            played = play(shot, reading, self._decoder, rounds, rng)
            if played is None:
                continue
            classifier = self._classifier(played, rng)
            path = path_of(played, self.span(iteration), rng)
            loss = travel_loss(self._network, played, classifier, path)
            if loss.requires_grad:  # else the object was nowhere to be seen on the way
                return loss
        raise ClipError("nothing to train on: no object in these shots can be marked")

    @torch.no_grad()
    def _classifier(self, played: Played, rng: np.random.Generator) -> Tensor:
        """Logits (T, h, w) that the network is to begin from."""
        if rng.random() < UNDECODED:
            return played.scores[:, 0] * SCORE_GAIN
        late = played.earlier is not None and rng.random() < LATE
        scores = played.earlier if late and played.earlier is not None else played.scores
        return decode(self._decoder, played.levels, scores)[:, 0]


def path_of(played: Played, span: int, rng: np.random.Generator) -> list[int]:
    """The frames through which a mask travels: an annotated one, and then outwards one way.

    Args:
        played: the shot.
        span: how many frames from the annotated one, at most.
        rng: decides which annotated frame, and which way.
    """
    start = int(rng.choice(sorted(played.marks)))
    last = len(played.truth) - 1
    forward, backward = (
        range(start, min(last, start + span) + 1),
        range(start, max(0, start - span) - 1, -1),
    )
    ways = [list(way) for way in (forward, backward) if len(way) > 1] or [[start]]
    return ways[int(rng.integers(0, len(ways)))]


def travel_loss(
    network: Propagation, played: Played, classifier: Tensor, path: Sequence[int]
) -> Tensor:
    """The loss of a mask that travels along a path, mean over its frames.

    Each frame is seen through the window through which it would be seen at work.

    Args:
        network: in float32.
        played: the shot, with its strokes and the truth.
        classifier: (T, h, w) logits at the finest stride.
        path: the frames, the annotated one first.
    """
    way = _Way(network, played, classifier)
    total = classifier.sum() * 0
    for t in path:
        logits, window, coarser = way.step(t)
        truth = torch.from_numpy(played.truth[t]).to(logits)
        total = total + mask_loss(at_pixels(logits[None, None], way.whole)[0], truth[None])
        if window is None:
            continue
        stride = way.pyramid.levels[0].stride
        there = window.cut(truth[::stride, ::stride], way.pyramid)[None, None]
        for level in coarser:
            there = halved(there)
            coarse = functional.binary_cross_entropy_with_logits(level, there)
            total = total + COARSER / len(coarser) * coarse
    return total / len(path)


class _Way:
    """A mask on its way through a shot."""

    def __init__(self, network: Propagation, played: Played, classifier: Tensor) -> None:
        self._network, self._played, self._classifier = network, played, classifier
        self.whole = played.pyramid
        self.pyramid = replace(self.whole, levels=self.whole.levels[: len(WIDTHS)])
        self._mask: Tensor | None = None
        self._anchor = -1
        self._anchor_mask = classifier[0]
        self._references: dict[tuple[int, int], Reference] = {}

    def step(self, t: int) -> tuple[Tensor, Window | None, list[Tensor]]:
        """The next frame: its logits (h, w), the window, and the logits of coarser strides."""
        classifier = self._classifier[t]
        first = self._mask is None
        mask = torch.sigmoid(classifier) if self._mask is None else self._mask
        marks = self._marks(t)
        where = (classifier > 0) | (mask > 0.5) | (marks.amax(dim=0) > 0)
        window = neighbourhood(where, self.pyramid)
        logits, coarser = classifier.clone(), []
        reference = None if first or window is None else self._reference(window)
        if window is not None and (first or reference is not None):
            look = self._look(t, mask, window)
            with mixed_precision(classifier.device):
                every = [level.float() for level in self._network(look, reference)]
            window.cut(logits, self.pyramid).copy_(every[0][0, 0])
            coarser = every[1:]
        self._mask = torch.sigmoid(logits)
        if first:
            self._anchor, self._anchor_mask = t, self._mask
        return logits, window, coarser

    def _reference(self, window: Window) -> Reference | None:
        size = window.height, window.width
        around = neighbourhood(self._anchor_mask > 0.5, self.pyramid)
        if size not in self._references and around is not None:
            around = around.as_large_as(window, self.pyramid)
            look = self._look(self._anchor, self._anchor_mask, around)
            with mixed_precision(self._anchor_mask.device):
                self._references[size] = self._network.reference(look)
        return self._references.get(size)

    def _look(self, t: int, mask: Tensor, window: Window) -> Look:
        features = [level[t].permute(2, 0, 1) for level in self._played.levels]
        return window.look(self.pyramid, features, self._classifier[t], mask, self._marks(t))

    def _marks(self, t: int) -> Tensor:
        marks = marks_on_finest(self.pyramid, self._played.marks.get(t), 1)
        return marks.to(self._classifier)
