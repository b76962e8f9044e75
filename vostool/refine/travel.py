"""Masks on their way through a clip."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from vostool.adapter import Samples
from vostool.masks import Mask
from vostool.refine.fusion import aggregate, fuse, shares
from vostool.refine.kept import Kept, Record
from vostool.refine.plan import Stretch, meetings, plan
from vostool.scribbles import UNMARKED, StrokeMap

Progress = Callable[[int, int], None]
"""Told (frames done, frames in all)."""


@dataclass(frozen=True)
class Sight:
    """What a propagator sees of one frame.

    Attributes:
        classifier: (K, h, w) the classifier's logits of each object against all else, at the
            propagator's own grid.
        content: the propagator's own.
    """

    classifier: Tensor
    content: Any


class Propagator(Protocol):
    """A network that carries masks from frame to frame."""

    def sights(self, start: int, stop: int) -> list[Sight]:
        """What it sees of the frames start..stop-1."""

    def begin(self, sight: Sight, marks: StrokeMap) -> Tensor:
        """Logits (K, h, w) of an annotated frame.

        Args:
            sight: of the frame.
            marks: (H, W) the strokes on it.
        """

    def remember(self, sight: Sight, mask: Tensor, marks: StrokeMap) -> Any:
        """What is remembered of an annotated frame.

        Args:
            sight: of the frame.
            mask: (K, h, w) each object's share of each pixel.
            marks: (H, W) the strokes on it.
        """

    def step(self, sight: Sight, mask: Tensor, memory: Any) -> Tensor:
        """Logits (K, h, w) of the next frame.

        Args:
            sight: of the frame.
            mask: (K, h, w) the shares of the frame before.
            memory: of the annotated frame.
        """

    def labels(self, logits: Tensor) -> Mask:
        """The mask (H, W) of logits (K, h, w) against background's 0, at the clip's resolution."""


class Travel:
    """A refinement of a clip's masks.

    Args:
        propagator: carries the masks.
        strokes: every pixel that the user has marked, the later over the earlier.
        size: (H, W) of the clip.
        frames: how many the clip has.
        kept: the records of a refinement before, if there are any; they are taken where they hold.
    """

    def __init__(
        self,
        propagator: Propagator,
        strokes: Samples,
        size: tuple[int, int],
        frames: int,
        kept: Kept,
    ) -> None:
        self._propagator, self._strokes, self._size, self._kept = propagator, strokes, size, kept
        self._frames = frames
        self._stretches = plan(map(int, np.unique(strokes.frame)), frames)

    @torch.inference_mode()
    def run(self, progress: Progress) -> int:
        """Refine every stretch that is not kept.

        Args:
            progress: told of frames done, of all that are on some mask's way.

        Returns:
            How many frames were computed.
        """
        done, computed = 0, 0
        total = sum(len(stretch.frames) for stretch in self._stretches)
        memory: dict[int, Any] = {}  # of the anchor whose ways are being walked
        for stretch in self._stretches:
            sights = self._sights(stretch)
            labels = np.stack([_labels(sight.classifier) for sight in sights])
            began = self._began(stretch)
            record = self._kept.find(stretch.name)
            if record is None or not record.holds(began, labels):
                if stretch.before is None:
                    record = self._begin(stretch, sights[0], began, labels)
                else:
                    if stretch.anchor not in memory:
                        memory = {stretch.anchor: self._remember(stretch.anchor)}
                    record = self._walk(stretch, sights, memory[stretch.anchor], began, labels)
                self._kept.put(stretch.name, record)
                computed += len(sights)
            done += len(sights)
            progress(done, total)
        self._kept.only({stretch.name for stretch in self._stretches})
        return computed

    def masks(self) -> Iterator[tuple[int, Mask]]:
        """The refined masks of every frame, in order, once :meth:`run` is through."""
        where = {frame: s for s in self._stretches for frame in s.frames}
        meeting = meetings(self._stretches)
        name, record = "", None
        for frame in range(self._frames):
            if frame in meeting:
                ends = [self._record(stretch).last for stretch in meeting[frame]]
                logits = torch.from_numpy(np.mean(ends, axis=0, dtype=np.float32))
                yield frame, self._propagator.labels(logits)
                continue
            stretch = where[frame]
            if record is None or stretch.name != name:
                name, record = stretch.name, self._record(stretch)
            yield frame, record.masks[stretch.frames.index(frame)]

    def _sights(self, stretch: Stretch) -> list[Sight]:
        first, last = min(stretch.frames), max(stretch.frames)
        sights = self._propagator.sights(first, last + 1)
        return [sights[frame - first] for frame in stretch.frames]

    def _began(self, stretch: Stretch) -> str:
        """What a stretch begins with, in a digest."""
        if stretch.before is not None:
            return self._record(stretch.before).ended
        here = self._strokes.within(stretch.anchor)
        columns = np.stack([here.x, here.y, here.object_id])
        return hashlib.blake2b(columns.tobytes(), digest_size=16).hexdigest()

    def _begin(self, stretch: Stretch, sight: Sight, began: str, labels: Any) -> Record:
        logits = self._propagator.begin(sight, self._marks(stretch.anchor))
        settled = aggregate(fuse(logits, sight.classifier, 0))
        return self._made(began, labels, [settled])

    def _remember(self, anchor: int) -> Any:
        (sight,) = self._propagator.sights(anchor, anchor + 1)
        known = self._record(Stretch(anchor, (anchor,)))
        return self._propagator.remember(sight, _mask_of(known), self._marks(anchor))

    def _walk(
        self, stretch: Stretch, sights: Sequence[Sight], memory: Any, began: str, labels: Any
    ) -> Record:
        assert stretch.before is not None
        mask = _mask_of(self._record(stretch.before))
        every = []
        for number, sight in enumerate(sights):
            logits = self._propagator.step(sight, mask, memory)
            fused = fuse(logits, sight.classifier, stretch.first_distance + number)
            every.append(aggregate(fused))
            mask = shares(every[-1])
        return self._made(began, labels, every)

    def _made(self, began: str, labels: Any, every: Sequence[Tensor]) -> Record:
        masks = np.stack([self._propagator.labels(logits) for logits in every])
        # What comes after begins with the half floats, too, so that a stopped run goes on the same.
        return Record(began, labels, masks, every[-1].half().cpu().numpy())

    def _record(self, stretch: Stretch) -> Record:
        record = self._kept.find(stretch.name)
        assert record is not None
        return record

    def _marks(self, frame: int) -> StrokeMap:
        """(H, W) the strokes on a frame."""
        here = self._strokes.within(frame)
        marks = np.full(self._size, UNMARKED, np.int16)
        marks[here.y, here.x] = here.object_id
        return marks


def _mask_of(record: Record) -> Tensor:
    """The shares of a stretch's last frame."""
    return shares(torch.from_numpy(record.last.astype(np.float32)))


def _labels(logits: Tensor) -> Mask:
    """(h, w) 0 for background, and from 1 on the objects."""
    best, label = logits.max(dim=0)
    return torch.where(best > 0, label + 1, 0).to(torch.uint8).cpu().numpy()
