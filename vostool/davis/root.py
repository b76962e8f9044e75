"""A DAVIS-layout root: which sequences it holds, and all that the benchmark needs of each.

Frame counts, sizes and object ids are read from the files, so that a part of DAVIS, DAVIS-2016's
masks of one object, or a user's own clips will do::

    ROOT/JPEGImages/480p/SEQUENCE/00000.jpg …
    ROOT/Annotations/480p/SEQUENCE/00000.png …   a label mask for every frame
    ROOT/Scribbles/SEQUENCE/001.json …           first rounds, each a sample to evaluate
    ROOT/ImageSets/2017/val.txt                  names of sequences, if there are subsets
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from vostool.clips import Clip, open_davis_sequence
from vostool.davis.metrics import LabelMaps
from vostool.errors import DavisError, ScribbleError
from vostool.images import Mask, read_mask
from vostool.scribbles import BACKGROUND, read_scribbles
from vostool.store.layout import is_name

SCRIBBLES = "Scribbles"
"""The folder of first rounds, unless another is named."""
VOID = 255
"""Beside other labels, 255 marks pixels that belong to nothing; alone, it is the one object."""


@dataclass(frozen=True)
class DavisSequence:
    """One annotated clip with first rounds of scribbles.

    Attributes:
        root: the DAVIS root.
        name: the sequence's name.
        clip: its frames.
        annotations: the label mask of each frame.
        scribbles: the files of first rounds; number n of the benchmark is the n-th, from 1.
        object_ids: the labels of its objects in the annotations, ascending.
    """

    root: Path
    name: str
    clip: Clip
    annotations: tuple[Path, ...]
    scribbles: tuple[Path, ...]
    object_ids: tuple[int, ...]

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return len(self.annotations)

    @property
    def objects(self) -> int:
        """How many objects it has; the benchmark calls them 1..objects."""
        return len(self.object_ids)

    @cached_property
    def fingerprint(self) -> str:
        """BLAKE2 of the annotations and scribbles: equal for equal questions and answers."""
        digest = hashlib.blake2b(digest_size=10)
        for file in (*self.annotations, *self.scribbles):
            content = file.read_bytes()
            digest.update(len(content).to_bytes(8, "big") + content)
        return digest.hexdigest()

    def truth(self) -> LabelMaps:
        """The annotations, (T, H, W), with the k-th object of ``object_ids`` as k, from 1."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.stack(list(pool.map(self.truth_of, range(self.frames))))

    def truth_of(self, frame: int) -> Mask:
        """The annotation of one frame, numbered as :meth:`truth` is."""
        number = np.zeros(256, np.uint8)
        number[VOID] = VOID  # neither background nor object, to the benchmark too
        number[list(self.object_ids)] = np.arange(1, self.objects + 1)
        return number[read_mask(self.annotations[frame])]

    def first_round(self, number: int) -> dict[str, Any]:
        """First scribbles, as the benchmark's documents are, with objects numbered from 1."""
        document = json.loads(self.scribbles[number - 1].read_text(encoding="utf-8"))
        for strokes in document["scribbles"]:
            for stroke in strokes:
                stroke["object_id"] = self._number_of(stroke["object_id"])
        return {**document, "sequence": self.name}

    def _number_of(self, object_id: int) -> int:
        if object_id == BACKGROUND:
            return BACKGROUND
        if object_id in self.object_ids:
            return self.object_ids.index(object_id) + 1
        if object_id == self.objects == 1:  # one object, whose label is mostly 255
            return 1
        raise ValueError(object_id)

    def check_scribbles(self) -> None:
        """Make sure that the first rounds can lie on this sequence.

        Raises:
            ScribbleError: one is no scribble file, or speaks of other frames or objects.
        """
        for file in self.scribbles:
            scribbles = read_scribbles(file)
            scribbles.check_against(self.frames, self.clip.size)
            if not scribbles.object_ids:
                raise ScribbleError(
                    f"{file}: strokes of background alone; a first round has objects"
                )
            if scribbles.sequence not in (None, self.name):
                raise ScribbleError(
                    f"{file}: was drawn on {scribbles.sequence!r}; give {self.name} its own"
                )
            if scribbles.frames != self.frames:
                raise ScribbleError(
                    f"{file}: has {scribbles.frames} lists of strokes, the sequence "
                    f"{self.frames} frames; give a list a frame"
                )
            for object_id in scribbles.object_ids:
                try:
                    self._number_of(object_id)
                except ValueError as problem:
                    there = ", ".join(map(str, self.object_ids))
                    raise ScribbleError(
                        f"{file}: speaks of object {object_id}; the annotations have {there}"
                    ) from problem


def read_root(
    root: Path,
    *,
    subset: str | None = None,
    names: Sequence[str] | None = None,
    scribbles: str = SCRIBBLES,
    say: Callable[[str], None] = lambda _: None,
) -> list[DavisSequence]:
    """Read and check sequences of a DAVIS-layout root: every annotation, every first round.

    Args:
        root: the root.
        subset: take the sequences that ``ImageSets/2017/SUBSET.txt`` lists and the root has. If
            neither this nor names are given, that is ``val``, or, without such lists, every
            sequence with annotations.
        names: take these, in this order; each must be there.
        scribbles: the root's folder of first rounds.
        say: told which sequences of a subset are not there.

    Raises:
        DavisError: the root, a sequence or its annotations are not what is needed.
        ScribbleError: a first round is not.
        ClipError: a sequence is not there, or its first frame is not whole.
    """
    if names is None:
        names = _listed(root, subset, say)
    if not names:
        raise DavisError(f"{root}: no sequence to evaluate; see {_annotations(root)}")
    return [_read_sequence(root, name, scribbles) for name in dict.fromkeys(names)]


def label_files(folder: Path) -> list[Path]:
    """The PNG files of a folder of label masks, in the order of their names."""
    return sorted(file for file in folder.glob("*.png") if not file.name.startswith("."))


def labels_in(mask: Mask) -> set[int]:
    """The labels that occur in a mask."""
    return set(np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist())


def objects_among(labels: set[int]) -> tuple[int, ...]:
    """The labels that are objects, ascending: neither background nor, beside others, ``VOID``."""
    objects = sorted(labels - {BACKGROUND})
    return tuple(objects if objects == [VOID] else [label for label in objects if label != VOID])


def _annotations(root: Path) -> Path:
    return root / "Annotations" / "480p"


def _listed(root: Path, subset: str | None, say: Callable[[str], None]) -> list[str]:
    folder = _annotations(root)
    there = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    if not there:
        raise DavisError(f"{root}: no masks; {folder} should hold a folder of PNGs a sequence")
    lists = root / "ImageSets" / "2017"
    if subset is None and not (lists / "val.txt").is_file():
        return [name for name in there if (folder / name).is_dir()]
    subset = subset or "val"
    try:
        lines = (lists / f"{subset}.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as problem:
        raise DavisError(
            f"{lists / f'{subset}.txt'}: cannot be read; name the sequences: --sequences a,b"
        ) from problem
    listed = [line.strip() for line in lines if line.strip()]
    absent = [name for name in listed if name not in there]
    if absent:
        say(f"{subset}: {len(absent)} of {len(listed)} sequences are not in {root}; left out")
    return [name for name in listed if name in there]


def _read_sequence(root: Path, name: str, first_rounds: str) -> DavisSequence:
    folder = _annotations(root) / name
    clip = open_davis_sequence(root, name)
    if not is_name(name):
        raise DavisError(f"{folder}: {name!r} cannot be a clip's name in the store; rename it")
    if not folder.is_dir():
        raise DavisError(f"{root}: no masks of {name}; {folder} should hold a PNG a frame")
    scribbles = _first_rounds(root / first_rounds / name)
    if not scribbles:
        raise DavisError(
            f"{root}: no scribbles of {name}; "
            f"give a first round as {root / first_rounds / name / '001.json'}"
        )
    annotations = tuple(folder / f"{frame.stem}.png" for frame in clip.files)
    missing = [file for file in annotations if not file.is_file()]
    if missing:
        raise DavisError(
            f"{missing[0]}: missing; the benchmark needs a mask for each of {clip.expected_frames} "
            f"frames of {name}"
        )
    object_ids = _object_ids(annotations, clip)
    sequence = DavisSequence(root, name, clip, annotations, scribbles, object_ids)
    sequence.check_scribbles()
    return sequence


def _object_ids(annotations: Sequence[Path], clip: Clip) -> tuple[int, ...]:
    def labels(file: Path) -> set[int]:
        mask = read_mask(file)
        if mask.shape != clip.size:
            raise DavisError(
                f"{file}: is {mask.shape[1]}x{mask.shape[0]}, the frames of {clip.name} are "
                f"{clip.size[1]}x{clip.size[0]}; annotate at the frames' size"
            )
        return labels_in(mask)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        object_ids = objects_among(set().union(*pool.map(labels, annotations)))
    if not object_ids:
        raise DavisError(f"{annotations[0].parent}: not one object in these masks")
    return object_ids


def _first_rounds(folder: Path) -> tuple[Path, ...]:
    """``001.json``, ``002.json`` and so on, up to the first that is not there."""
    files: list[Path] = []
    while (file := folder / f"{len(files) + 1:03d}.json").is_file():
        files.append(file)
    beyond = sorted(folder.glob("[0-9][0-9][0-9].json"))[len(files) :]
    if beyond:
        raise DavisError(f"{file}: missing, though there is {beyond[0].name}; number them from 001")
    return tuple(files)
