"""Rounds of interaction on many shots at once: what a session does, as one computation.

The decoder learns from what it will meet: scores of classifiers that were fitted to a few strokes,
right and wrong ones, and after a few corrections of its own masks. A session plays one clip; here a
batch of shots is played together, with gradients where the decoder learns. Masks and labels are
those of a session (``tests/training/test_rounds.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vostool.decoder.evidence import Evidence
from vostool.decoder.network import Decoder
from vostool.label_propagation.network import with_background
from vostool.label_propagation.priors import RECENT
from vostool.label_propagation.shape import COLDEST
from vostool.precision import mixed_precision
from vostool.presets import PRESETS
from vostool.scribbles import UNMARKED
from vostool.training.batches import Batch
from vostool.training.features import Matrices, ShotsFeatures
from vostool.training.matching import Matches, match_frames
from vostool.training.user import Marks

FULL_HEIGHT = 480
"""The height at which λ was chosen. Strokes on a smaller frame have fewer pixels to weigh it."""
NO_OBJECT = -20.0
"""The score of an object that a shot has not, where another shot of the batch has one."""
NO_LABEL = -1e4
"""And its logit."""
AT_ONCE = 256
"""Objects of frames that are decoded together."""
PADDED_TO = 64
"""More objects than these are padded to a multiple of it."""


@dataclass(frozen=True)
class EachObject:
    """What the decoder reads of the M objects of some frames.

    Attributes:
        row: (M,) the frame of each, among those.
        number: (M,) which of its shot's objects it is, from 0.
        read: (M, C, h, w) a stride, the features of its frame as they are read; some that come
            after those M are not asked for.
        evidence: (M, CHANNELS, h, w) a stride, likewise.
    """

    row: Tensor
    number: Tensor
    read: list[Tensor]
    evidence: list[Tensor]


class Rounds:
    """A batch of marked shots, played round by round.

    Args:
        decoder: makes the masks.
        features: of the shots.
        batch: they, with their first strokes.
    """

    def __init__(self, decoder: Decoder, features: ShotsFeatures, batch: Batch) -> None:
        self.decoder, self._features, self._geometry = decoder, features, features.geometry
        self._device = features.on_grid.device
        self.shots, self.frames = batch.truth.shape[:2]
        objects = torch.from_numpy(batch.truth.max(axis=(1, 2, 3)).astype(np.int64))
        self.objects = int(objects.max())
        numbers = torch.arange(1, self.objects + 1, device=self._device)
        self.present = numbers <= objects.to(self._device)[:, None]
        self.truth = torch.from_numpy(batch.truth).to(self._device)
        channels = features.on_grid.shape[2]
        # Not every device counts in 64 bits.
        self._exact = self._device if self._device.type == "cuda" else torch.device("cpu")
        self._gram, self._sums = (
            torch.zeros(self.shots, channels, n, dtype=torch.float64, device=self._exact)
            for n in (channels, self.objects + 1)
        )
        self._marks = torch.full(
            batch.truth.shape, UNMARKED, dtype=torch.int16, device=self._device
        )
        self._annotated: list[list[int]] = [[] for _ in range(self.shots)]
        with torch.no_grad():
            self._seen = self._look()
        self.learn(batch.first)

    @property
    def annotated(self) -> list[list[int]]:
        """Of each shot, the frames with strokes, in the order in which they were drawn on."""
        return self._annotated

    @torch.no_grad()
    def learn(self, marks: Sequence[Marks | None]) -> None:
        """Take a round of strokes of each shot; None where there is nothing to correct, but not for
        all of them."""
        drawn = []
        for b, one in enumerate(marks):
            if one is not None:
                if len(one.strokes) and one.frame not in self._annotated[b]:
                    self._annotated[b].append(one.frame)
                strokes = one.strokes
                shot = np.full_like(strokes.x, b)
                drawn.append([shot, strokes.frame, strokes.y, strokes.x, strokes.object_id])
        at, t, y, x, label = torch.from_numpy(np.concatenate(drawn, 1)).to(self._device)
        self._marks[at, t, y, x] = label.to(torch.int16)
        self._add_samples(marks)
        gram = self._gram + self._ridge * torch.eye(self._gram.shape[1], device=self._exact)
        W = torch.cholesky_solve(self._sums, torch.linalg.cholesky(gram))
        weights = (W[:, :, 1:] - W[:, :, :1]).float().to(self._device)
        level = self._geometry.pyramid.grid
        shape = (self.shots, self.objects, self.frames, *level.shape[:2])
        scores = (self._features.on_grid @ weights).mT.reshape(shape).transpose(1, 2)
        self._scores = self._at(self._geometry.grid_to_finest, scores)
        self._coarse_scores = self._at(self._geometry.grid_to_coarse, scores)
        self._strokes = self._stroke_maps()

    @torch.no_grad()
    def masks(self) -> Tensor:
        """(B, T, H, W) uint8."""
        priors = self._priors(*self._seen)
        with mixed_precision(self._device):
            read = self.decoder.read(self._features.levels)
        every = torch.arange(self.shots * self.frames, device=self._device)
        masks = []
        for rows in torch.split(every, max(1, AT_ONCE // self.objects)):
            logits = self.logits(rows, priors[rows], read)
            masks.append(with_background(self.at_pixels(logits)).argmax(1).to(torch.uint8))
        return torch.cat(masks).view(self.truth.shape)

    def logits(self, rows: Tensor, prior: Tensor, read: Sequence[Tensor] | None = None) -> Tensor:
        """Logits (N, K, h, w) at the finest stride, of some frames.

        Args:
            rows: (N,) which of the B · T frames.
            prior: (N, K + 1, h, w) what is carried to each.
            read: all frames' features as the decoder reads them, where that is known.
        """
        with mixed_precision(self._device):
            each = self.each_object(rows, prior, read)
            found = self.decoder.of_one(each.read, each.evidence).float()
        logits = found.new_full((len(rows), self.objects, *found.shape[1:]), NO_LABEL)
        return logits.index_put((each.row, each.number), found[: len(each.row)])

    def each_object(
        self, rows: Tensor, prior: Tensor, read: Sequence[Tensor] | None = None
    ) -> EachObject:
        """What the decoder reads of the objects of some frames; see :meth:`logits`."""
        if read is None:
            read = self.decoder.read([level[rows] for level in self._features.levels])
            frames = torch.arange(len(rows), device=self._device)
        else:
            frames = rows
        evidence = Evidence(
            self._scores.flatten(0, 1)[rows], prior, self._strokes.flatten(0, 1)[rows]
        ).of_objects([level.shape[:2] for level in self._geometry.strides])
        row, number = self.present[rows // self.frames].nonzero(as_tuple=True)
        # A GPU plans its work anew for each number of objects, so that there are few numbers.
        surplus = -len(row) % PADDED_TO if len(row) > PADDED_TO else 0
        m, k = torch.cat([row, row[:surplus]]), torch.cat([number, number[:surplus]])
        return EachObject(
            row,
            number,
            [level[frames[m]] for level in read],
            [level[m, k].contiguous(memory_format=torch.channels_last) for level in evidence],
        )

    def at_pixels(self, logits: Tensor) -> Tensor:
        """(N, K, H, W), of logits (N, K, h, w) at the finest stride."""
        return _brought(logits, self._geometry.finest_to_pixels)

    def at_coarse(self, truth: Tensor) -> Tensor:
        """(N, K + 1, h, w) shares at the stride at which labels are carried, of pixels' truth
        (N, H, W) int64."""
        stride = self._geometry.strides[0].stride
        labels = functional.one_hot(truth[:, ::stride, ::stride], self.objects + 1)
        return _brought(labels.movedim(3, 1).float(), self._geometry.finest_to_coarse)

    def forget_strokes(self, shots: Sequence[int]) -> None:
        """Forget where strokes are on some shots, as though they were drawn on another clip; until
        the next round."""
        for b in shots:
            self._strokes[b], self._annotated[b] = 0, []

    def priors(self) -> Tensor:
        """What is carried to each frame, with gradients: (B · T, K + 1, h, w); zeros where nothing
        is."""
        return self._priors(*self._look())

    def _priors(self, looks: Tensor, matches: Matches) -> Tensor:
        rounds = max(len(frames) for frames in self._annotated)
        when = torch.full((self.shots, rounds), -1, device=self._device)
        for b, frames in enumerate(self._annotated):
            when[b, : len(frames)] = torch.tensor(frames)
        carried: list[Tensor] = []
        for i in range(rounds):
            frame = when[:, i].clamp(min=0)
            prior = self._arriving(frame[:, None], when[:, :i], carried)[:, 0]
            carried.append(self._carry(frame, self._settled(frame, prior), looks, matches))
        every = torch.arange(self.frames, device=self._device).expand(self.shots, -1)
        # At an annotated frame, labels come from those that were annotated before it.
        same = when[:, None] == every[..., None]  # (B, T, rounds)
        earlier = same.int().cumsum(2) == 0
        return self._arriving(every, when, carried, earlier).flatten(0, 1)

    @property
    def _ridge(self) -> float:
        return PRESETS["default"].ridge * self._geometry.pyramid.clip_size[0] / FULL_HEIGHT

    def _at(self, matrices: Matrices, scores: Tensor) -> Tensor:
        """Scores (B, T, K, h, w) brought to another grid, and low ones of absent objects."""
        brought = _brought(scores, matrices)
        return brought.masked_fill(~self.present[:, None, :, None, None], NO_OBJECT)

    def _add_samples(self, marks: Sequence[Marks | None]) -> None:
        """To the sums of Eq. 3, what a round's samples add."""
        most = max(len(one.samples) for one in marks if one is not None)
        columns = torch.zeros(3, self.shots, most, dtype=torch.int64)
        labels = torch.full((self.shots, most), UNMARKED, dtype=torch.int64)
        for b, one in enumerate(marks):
            if one is not None:
                n = len(one.samples)
                for column, values in zip(
                    columns, (one.samples.frame, one.samples.y, one.samples.x), strict=True
                ):
                    column[b, :n] = torch.from_numpy(values)
                labels[b, :n] = torch.from_numpy(one.samples.object_id)
        frame, y, x = columns.to(self._device)
        labels = labels.to(self._device)
        grid = self._geometry.pyramid.grid
        (top, bottom, below), (left, right, beyond) = (
            _bracket(pixel, grid.stride, length)
            for pixel, length in ((y, grid.shape[0]), (x, grid.shape[1]))
        )
        features = torch.zeros((), device=self._device)
        for row, height in ((top, 1 - below), (bottom, below)):
            for column, width in ((left, 1 - beyond), (right, beyond)):
                at = (frame * grid.shape[0] + row) * grid.shape[1] + column
                index = at[..., None].expand(-1, -1, self._features.on_grid.shape[2])
                corner = self._features.on_grid.gather(1, index)
                features = features + corner * (height * width)[..., None]
        belongs = labels[..., None] == torch.arange(self.objects + 1, device=self._device)
        X = torch.where((labels >= 0)[..., None], features, 0.0)  # (B, n, C)
        X, belongs = X.to(self._exact).double(), belongs.to(self._exact)
        self._gram += X.mT @ X
        self._sums += X.mT @ belongs.double()

    def _stroke_maps(self) -> Tensor:
        """Where strokes of each class are, (B, T, K + 1, h, w) at the finest stride."""
        level = self._geometry.strides[0]
        shape = (self.shots, self.frames, self.objects + 1, *level.shape[:2])
        maps = torch.zeros(shape, device=self._device)
        b, t, y, x = (self._marks != UNMARKED).nonzero(as_tuple=True)
        row, column = (
            (pixel / level.stride).round().long().clamp(max=length - 1)
            for pixel, length in ((y, level.shape[0]), (x, level.shape[1]))
        )
        maps[b, t, self._marks[b, t, y, x].long(), row, column] = 1
        return maps

    def _look(self) -> tuple[Tensor, Matches]:
        """What the features say to the correction (B, T, WIDTH, h, w), and all frames' matches."""
        descriptors, looks = self.decoder.propagator.look(self._features.levels[2:])
        looks, descriptors = (
            one.view(self.shots, self.frames, *one.shape[1:]) for one in (looks, descriptors)
        )
        return looks, match_frames(descriptors)

    @torch.no_grad()
    def _settled(self, frame: Tensor, prior: Tensor) -> Tensor:
        """The labels (B, K + 1, h, w) of a frame of each shot, as they are decoded."""
        rows = torch.arange(self.shots, device=self._device) * self.frames + frame
        shares = with_background(self.logits(rows, prior)).softmax(1)
        return _brought(shares, self._geometry.finest_to_coarse)

    def _carry(self, frame: Tensor, labels: Tensor, looks: Tensor, matches: Matches) -> Tensor:
        """Labels carried from one frame of each shot to all others: (B, T, K + 1, h, w)."""
        propagator = self.decoder.propagator
        temperature = propagator.temperature.clamp(min=COLDEST)
        ways = torch.tensor([1, -1], device=self._device).repeat_interleave(self.shots)
        shot = torch.arange(self.shots, device=self._device).repeat(2)
        begin_frame, begin = frame.repeat(2), labels.repeat(2, 1, 1, 1)
        present = self.present[shot][:, :, None, None]
        along = [begin]
        for distance in range(1, self.frames):
            here = (begin_frame + ways * distance).clamp(0, self.frames - 1)
            back = [0, *range(max(1, distance - RECENT), distance)]
            known = [(begin_frame + ways * n).clamp(0, self.frames - 1) for n in back]
            found, cosine = matches.labels(shot, here, known, [along[n] for n in back], temperature)
            logits = propagator.corrected(
                looks[shot, here], self._coarse_scores[shot, here], found, cosine, begin
            )
            logits = logits.masked_fill(~present, NO_LABEL)
            along.append(with_background(logits).softmax(1))
        every = torch.stack(along, 1)
        both = every.view(2, self.shots, *every.shape[1:])  # (2, B, T, K + 1, h, w)
        offset = torch.arange(self.frames, device=self._device) - frame[:, None]  # (B, T)
        way, each = (offset < 0).long(), torch.arange(self.shots, device=self._device)[:, None]
        return both[way, each, offset.abs()]

    def _arriving(
        self, frames: Tensor, when: Tensor, carried: Sequence[Tensor], earlier: Tensor | None = None
    ) -> Tensor:
        """What arrives at frames (B, N) from the nearest annotated ones (B, rounds) on each side.

        Args:
            frames: of each shot.
            when: its annotated frames, -1 for none.
            carried: (B, T, K + 1, h, w) from each of those.
            earlier: (B, N, rounds) which of them count; by default all.

        Returns:
            (B, N, K + 1, h, w), zeros where nothing arrives.
        """
        h, w = self._geometry.coarse.shape[:2]
        shape = (*frames.shape, self.objects + 1, h, w)
        if not carried:
            return torch.zeros(shape, device=self._device)
        every = torch.stack(list(carried), 1)  # (B, rounds, T, K + 1, h, w)
        offset = when[:, None] - frames[..., None]  # (B, N, rounds)
        counts = (when >= 0)[:, None] & (True if earlier is None else earlier)
        each = torch.arange(self.shots, device=self._device)[:, None]
        total = torch.zeros(shape, device=self._device)
        weights = torch.zeros(*frames.shape, 1, h, w, device=self._device)
        for side in (-1, 1):
            near = (offset.sign() == side) & counts
            distance, nearest = torch.where(near, offset.abs(), self.frames + 1).min(2)
            labels = every[each, nearest, frames]
            weight = labels.max(2, keepdim=True).values.square()
            weight = weight * (near.any(2) / distance)[..., None, None, None]
            total, weights = total + weight * labels, weights + weight
        return total / weights.clamp(min=1e-6)


def worst_frames(masks: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Of each shot the frame of least J, and its J; objects in neither count as right.

    Args:
        masks, truth: (B, T, H, W), each pixel's object, 0 for background.
    """
    total = torch.zeros(masks.shape[:2], device=masks.device)
    count = torch.zeros(len(masks), 1, device=masks.device)
    for label in range(1, int(truth.max()) + 1):
        ours, theirs = masks == label, truth == label
        either, both = (ours | theirs).sum((2, 3)), (ours & theirs).sum((2, 3))
        there = theirs.any(3).any(2).any(1, keepdim=True)
        total += there * torch.where(either > 0, both / either.clamp(min=1), 1.0)
        count += there
    j, frame = (total / count.clamp(min=1)).min(1)
    return frame, j


def _brought(maps: Tensor, matrices: Matrices) -> Tensor:
    rows, columns = matrices
    return rows @ maps @ columns


def _bracket(pixel: Tensor, stride: int, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """The two vertices round each pixel, and the second's weight; outside, the edge holds."""
    inside = (pixel.float() / stride).clamp(0, length - 1)
    low = inside.floor().long()
    return low, (low + 1).clamp(max=length - 1), inside - low
