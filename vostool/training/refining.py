"""The propagation network's training: masks travel through shots that were played beforehand.

As the cited paper trains RGMP (§3.2): on photos in motion first, then on videos, with a span of
frames that grows while the training goes on, back-propagated through time.
"""

from __future__ import annotations

from collections.abc import Sequence

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
from vostool.strnn.model import SpatioTemporalRNN
from vostool.training.rounds import Played, at_pixels, decode, play, read_shot
from vostool.training.steps import ATTEMPTS, Drawing, mask_loss
from vostool.training.trainer import Group

MOST_ROUNDS = 3
"""Rounds that are played before, at most: a shot has few frames."""
DECODED = 0.5
"""The share of iterations in which the network is shown the decoder's answer. In the others it is
the classifier's own, for on what it was trained on the decoder errs less than it will."""
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
            with torch.no_grad():
                classifier = (
                    decode(self._decoder, played.levels, played.scores)
                    if rng.random() < DECODED
                    else played.scores * SCORE_GAIN
                )
            path = path_of(played, self.span(iteration), rng)
            return travel_loss(self._network, played, classifier, path)
        raise ClipError("nothing to train on: no object in these shots can be marked")


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

    Args:
        network: in float32.
        played: the shot, with its strokes and the truth.
        classifier: (T, 1, h, w) logits at the finest stride.
        path: the frames, the annotated one first.
    """
    finest = played.pyramid.levels[0]
    truth = torch.from_numpy(played.truth).to(classifier)
    mask = torch.sigmoid(classifier[path[0]])[None]
    reference: Reference | None = None
    total = classifier.sum() * 0
    for t in path:
        features = [level[t : t + 1].permute(0, 3, 1, 2) for level in played.levels[: len(WIDTHS)]]
        marks = marks_on_finest(played.pyramid, played.marks.get(t), 1).to(classifier)
        look = Look(features, classifier[t : t + 1], mask, marks[None])
        with mixed_precision(classifier.device):
            logits = [level.float() for level in network(look, reference)]
            if reference is None:
                mask = torch.sigmoid(logits[0])
                reference = network.reference(Look(features, look.classifier, mask, look.marks))
        mask = torch.sigmoid(logits[0])
        total = total + mask_loss(at_pixels(logits[0], played.pyramid)[:, 0], truth[t : t + 1])
        there = truth[t, :: finest.stride, :: finest.stride][None, None]
        for level in logits[1:]:
            there = halved(there)
            coarse = functional.binary_cross_entropy_with_logits(level, there)
            total = total + COARSER / (len(logits) - 1) * coarse
    return total / len(path)
