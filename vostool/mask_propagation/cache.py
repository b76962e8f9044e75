"""What is kept of a refinement: to go on after a stop, and not to repeat what no edit touched."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vostool.files import replacing, unwritable
from vostool.masks import Mask

RECORD = re.compile(r"\d{6,}-\d{6,}")
"""What files of records are called, by the spans' names."""
SPAN = "span"
"""In a record's file its own name: one that lies in another's place is none."""
STILL = 0.97
"""The Jaccard index above which the classifier's mask of a frame counts as what it was."""


@dataclass(frozen=True)
class Record:
    """A span's results, and what they came from.

    Attributes:
        began: a digest of what the way began with: strokes, or the end of the span before.
        source: a digest of what the classifier's labels came from.
        classifier: (n, h, w) uint8, its labels of the frames at the network's grid.
        masks: (n, H, W) uint8, the refined masks.
        last: (K, h, w) float16, the logits of the last frame.
    """

    began: str
    source: str
    classifier: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]
    last: npt.NDArray[np.float16]

    @property
    def ended(self) -> str:
        """A digest of how it ends."""
        return hashlib.blake2b(self.last.tobytes(), digest_size=16).hexdigest()

    def is_of(self, began: str, source: str, frames: int) -> bool:
        """Whether it was made of the very same, and as many frames, so that nobody need look."""
        return (self.began, self.source, len(self.masks)) == (began, source, frames)

    def holds(self, began: str, classifier: npt.NDArray[np.uint8]) -> bool:
        """Whether it is what would be made now, or so near that a user would see no difference."""
        return (
            self.began == began
            and self.classifier.shape == classifier.shape
            and all(map(_alike, self.classifier, classifier))
        )


class SpanCache(Protocol):
    """Where records are kept."""

    def find(self, name: str) -> Record | None:
        """The record of a span, if there is one."""

    def put(self, name: str, record: Record) -> None:
        """Keep the record of a span, instead of one that was there."""

    def only(self, names: set[str]) -> None:
        """Let go of all other spans' records."""


class MemoryCache:
    """A :class:`SpanCache` for one session."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}

    def find(self, name: str) -> Record | None:
        """The record of a span, if there is one."""
        return self._records.get(name)

    def put(self, name: str, record: Record) -> None:
        """Keep the record of a span, instead of one that was there."""
        self._records[name] = record

    def only(self, names: set[str]) -> None:
        """Let go of all other spans' records."""
        self._records = {name: self._records[name] for name in names & self._records.keys()}


class FolderCache:
    """A :class:`SpanCache` that outlives the process: a file a span.

    Args:
        folder: for the files; made if need be. Records of something else go, other files stay.
        of: what the records are of, in a word that differs for anything else.

    Raises:
        OutputError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, of: str) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            about = folder / "of"
            if not (about.is_file() and about.read_bytes() == of.encode()):
                self.only(set())
                with replacing(about) as tmp:
                    tmp.write_text(of)
        except OSError as problem:
            raise unwritable(folder, problem) from problem

    def find(self, name: str) -> Record | None:
        """The record of a span, if there is a whole one; a damaged one is made again."""
        try:
            with np.load(self._folder / f"{name}.npz", allow_pickle=False) as stored:
                content = {field.name: stored[field.name] for field in fields(Record)}
                if str(stored[SPAN]) != name:
                    return None
        except Exception:  # zip files, their compression and numpy's heads each raise their own
            return None
        words = {name: str(content[name]) for name in ("began", "source")}
        record = Record(**{**content, **words})
        return record if _is_whole(record) else None

    def put(self, name: str, record: Record) -> None:
        """Keep the record of a span; the file appears, or is replaced, in one step.

        Raises:
            OutputError: the folder cannot be written to.
        """
        content = {field.name: getattr(record, field.name) for field in fields(Record)}
        content[SPAN] = name
        try:
            with replacing(self._folder / f"{name}.npz") as tmp:
                np.savez_compressed(tmp, **content)
        except OSError as problem:
            raise unwritable(self._folder, problem) from problem

    def only(self, names: set[str]) -> None:
        """Let go of all other spans' records, and of what killed runs left."""
        for file in self._folder.glob("*.npz"):
            if file.stem not in names and RECORD.fullmatch(file.stem):
                file.unlink(missing_ok=True)


def _is_whole(record: Record) -> bool:
    """Whether a record's arrays are of their types, and go together."""
    of_frames = (record.classifier, record.masks)
    if not all(isinstance(array, np.ndarray) for array in (*of_frames, record.last)):
        return False  # numpy gives what has no array's head as bytes
    return (
        all(array.ndim == 3 and array.dtype == np.uint8 for array in of_frames)
        and len(record.classifier) == len(record.masks) > 0
        and record.last.ndim == 3
        and record.last.dtype == np.float16
        and record.last.shape[1:] == record.classifier.shape[1:]
    )


def _alike(one: Mask, other: Mask) -> bool:
    """Whether two label maps have each object where the other has it, but for a little."""
    for object_id in np.union1d(np.unique(one), np.unique(other)):
        if object_id == 0:
            continue
        ours, theirs = one == object_id, other == object_id
        if (ours & theirs).sum() < STILL * (ours | theirs).sum():
            return False
    return True
