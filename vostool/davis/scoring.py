"""J and F of masks in folders, by any method: the semi-supervised measure of DAVIS.

As the DAVIS benchmark has it (Perazzi et al., CVPR 2016; Pont-Tuset et al., arXiv:1704.00675), the
first frame, whose mask is given to a semi-supervised method, and the last are left out; scores are
means over the frames of an object, then over all objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vostool.davis.metrics import LabelMaps, f_measure, jaccard
from vostool.davis.root import VOID, label_files, labels_in, objects_among
from vostool.errors import DavisError
from vostool.images import Mask, image_size, read_mask

BLOCK = 32
"""Frames that are read and scored at a time, so that memory does not grow with the clip."""


@dataclass(frozen=True)
class ObjectScore:
    """The scores of one object of one sequence.

    Attributes:
        sequence: the name of its folder.
        object_id: its label in the annotations.
        frames: how many were scored.
        j, f: means over them, in 0..1.
    """

    sequence: str
    object_id: int
    frames: int
    j: float
    f: float

    @property
    def j_and_f(self) -> float:
        """The mean of J and F."""
        return 0.5 * (self.j + self.f)


@dataclass(frozen=True)
class Pair:
    """Masks of one sequence, and its annotations.

    Attributes:
        name: the sequence's.
        masks: a file for each annotation, in its order.
        annotations: the files to score against.
    """

    name: str
    masks: tuple[Path, ...]
    annotations: tuple[Path, ...]


def match(
    masks: Path,
    annotations: Path,
    *,
    all_frames: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> list[Pair]:
    """Find which mask is to be scored against which annotation.

    Args:
        masks: a folder of PNGs, or a folder of such folders, one a sequence.
        annotations: the same of the truth; sequences and frames bear the same names.
        all_frames: take the first and the last annotated frame, too.
        say: told of sequences without masks.

    Raises:
        DavisError: a folder is empty, or has no partner; a mask is missing or of another size.
    """
    for folder in (masks, annotations):
        if not folder.is_dir():
            raise DavisError(f"{folder}: no such folder")
    if label_files(annotations):
        pairs = [(annotations.resolve().name, masks, annotations)]
    else:
        if label_files(masks):
            raise DavisError(
                f"{annotations}: holds no PNGs, and {masks} does; name the sequence's annotations"
            )
        names, there = _folders(masks), set(_folders(annotations))
        for name in names:
            if name not in there:
                raise DavisError(f"{masks / name}: no annotations {annotations / name}")
        if without := sorted(there - set(names)):
            say(f"{masks}: no masks for {len(without)} of {len(there)} sequences; left out")
        pairs = [(name, masks / name, annotations / name) for name in names]
    if not pairs:
        raise DavisError(f"{masks}: no PNGs, and no folder of PNGs")
    matched = [_match_frames(*pair, all_frames) for pair in pairs]
    for pair in matched:
        _check_sizes(pair)
    return matched


def score(pair: Pair) -> list[ObjectScore]:
    """Score one sequence, an answer an object.

    A sequence of one object is scored against the masks' one label, whatever it is: 1 and 255 both
    are in use.

    Raises:
        VostoolError: a mask is no label image.
    """
    truth_labels, mask_labels = set[int](), set[int]()
    for truth, mask in _label_maps(pair):
        truth_labels |= labels_in(truth)
        mask_labels |= labels_in(mask)
    object_ids, found = objects_among(truth_labels), objects_among(mask_labels)
    if not object_ids:
        raise DavisError(f"{pair.annotations[0].parent}: not one object in the frames to score")
    label = {}
    if len(object_ids) == len(found) == 1:
        label = {found[0]: object_ids[0]}
    j, f = [], []
    for truths, masks in _blocks(pair):
        for ours, theirs in label.items():
            masks[masks == ours] = theirs
        if object_ids != (VOID,):  # what belongs to nothing counts for nothing
            masks[truths == VOID] = 0
            truths[truths == VOID] = 0
        j.append(jaccard(truths, masks, object_ids))
        f.append(f_measure(truths, masks, object_ids))
    scores = zip(
        object_ids, np.concatenate(j).mean(axis=0), np.concatenate(f).mean(axis=0), strict=True
    )
    frames = len(pair.annotations)
    return [ObjectScore(pair.name, k, frames, float(j_k), float(f_k)) for k, j_k, f_k in scores]


def _match_frames(name: str, masks: Path, annotations: Path, all_frames: bool) -> Pair:
    files = label_files(annotations)
    if not all_frames:
        files = files[1:-1]
    if not files:
        raise DavisError(
            f"{annotations}: no frame to score; the first and the last count with --all-frames only"
        )
    partners = [masks / file.name for file in files]
    missing = [file for file in partners if not file.is_file()]
    if missing:
        raise DavisError(
            f"{missing[0]}: missing; {len(files) - len(missing)} of {len(files)} frames to score "
            "are there"
        )
    return Pair(name, tuple(partners), tuple(files))


def _folders(parent: Path) -> list[str]:
    """The names of the folders in a folder that are not hidden."""
    entries = (entry for entry in parent.iterdir() if not entry.name.startswith("."))
    return sorted(entry.name for entry in entries if entry.is_dir())


def _check_sizes(pair: Pair) -> None:
    for annotation, file in zip(pair.annotations, pair.masks, strict=True):
        (height, width), (true_height, true_width) = image_size(file), image_size(annotation)
        if (height, width) != (true_height, true_width):
            raise DavisError(
                f"{file}: is {width}x{height}, its annotation is {true_width}x{true_height}; "
                "masks are scored at the annotations' size"
            )


def _label_maps(pair: Pair) -> Iterator[tuple[Mask, Mask]]:
    for annotation, file in zip(pair.annotations, pair.masks, strict=True):
        yield read_mask(annotation), read_mask(file)


def _blocks(pair: Pair) -> Iterator[tuple[LabelMaps, LabelMaps]]:
    for start in range(0, len(pair.annotations), BLOCK):
        here = slice(start, start + BLOCK)
        block = Pair(pair.name, pair.masks[here], pair.annotations[here])
        truths, masks = zip(*_label_maps(block), strict=True)
        yield np.stack(truths), np.stack(masks)
