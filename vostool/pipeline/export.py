"""From masks on disk to the formats of other tools."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import tee
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vostool.cleaning import Cleaning
from vostool.clips import Clip
from vostool.errors import ImageError, OutputError, UsageError
from vostool.images import Frame, Mask, ObjectMasks, Probabilities, read_mask
from vostool.masks import alpha_of, doubt_of, object_masks, own_masks
from vostool.outputs import (
    check_apart,
    check_folder_replaceable,
    check_replaceable,
    is_our_video,
)
from vostool.pipeline.background import Background
from vostool.pipeline.progress import Progress, quiet
from vostool.writers import WRITERS, Content, open_writer

DEFAULT_FPS = 24.0


@dataclass(frozen=True)
class MaskSequence:
    """Masks of a clip, one a frame.

    Attributes:
        name: what the clip is called.
        size: (H, W).
        count: how many there are.
        object_ids: the objects that they can have, in order.
        read: gives them one after the other.
        inputs: what they are made of, which no output may touch.
        read_probabilities: gives what they were decided by, where a decoder makes them.
    """

    name: str
    size: tuple[int, int]
    count: int
    object_ids: tuple[int, ...]
    read: Callable[[], Iterator[Mask]]
    inputs: tuple[Path, ...]
    read_probabilities: Callable[[], Iterator[Probabilities]] | None = None


def open_masks(folder: Path) -> MaskSequence:
    """Look through a folder of masks, ``%05d.png`` from 0 on, as ``vostool render`` writes them.

    Raises:
        ImageError: there is no such folder, a mask is missing, or one is no label mask.
    """
    names = re.compile(r"\d{5,}\.png")
    found = [file for file in folder.glob("*.png") if names.fullmatch(file.name)]
    files = sorted(found, key=lambda file: int(file.stem))
    if not files:
        raise ImageError(f"{folder}: no masks in it; give a folder that vostool render wrote")
    for number, file in enumerate(files):
        if int(file.stem) != number:
            raise ImageError(f"{folder}: has no mask {number:05d}.png; render it again")
    height, width = read_mask(files[0]).shape
    seen: set[int] = set()
    for mask in _read(files, (height, width)):
        seen.update(np.unique(mask).tolist())
    read = partial(_read, files, (height, width))
    object_ids = tuple(sorted(seen - {0}))
    name = folder.resolve().name
    return MaskSequence(name, (height, width), len(files), object_ids, read, (folder,))


def _read(files: list[Path], size: tuple[int, int]) -> Iterator[Mask]:
    for file in files:
        mask = read_mask(file)
        if mask.shape != size:
            shape = (mask.shape[0], mask.shape[1])
            raise ImageError(
                f"{file}: is {_pixels(shape)}, the masks before it are {_pixels(size)}"
            )
        yield mask


def export(
    masks: MaskSequence,
    form: str,
    out: Path,
    *,
    clip: Clip | None = None,
    cleaning: Cleaning = Cleaning(),  # noqa: B008 - it is frozen
    soft: bool = False,
    overlap: bool = False,
    background: Background | None = None,
    force: bool = False,
    progress: Progress = quiet,
) -> int:
    """Write masks in a format of another tool; it appears when it is whole.

    Args:
        masks: by :func:`open_masks`, or of a session.
        form: the format, one of :data:`vostool.writers.WRITERS`.
        out: the file or the folder.
        clip: what the masks are of; needed where its frames are shown.
        cleaning: what is done to the masks; nothing by default.
        soft: alpha is how probable the objects are, for formats with alpha.
        overlap: each object has its own mask, for formats in which masks may overlap.
        background: what is put behind the objects, for formats that show it.
        force: replace what vostool did not make.
        progress: told of frames done.

    Returns:
        How many frames were written.

    Raises:
        UsageError: frames are shown, and the clip is not given; or what is asked for does not go
            with the format, or needs probabilities that are not there.
        ImageError: a mask is not whole.
        ClipError: the clip cannot be read.
        OutputError: the output cannot be written, or is the user's, or is read; or the clip's
            frames are not as many, or not as large, as the masks.
    """
    _check(masks, form, out, clip, background, force)
    _check_options(masks, form, cleaning, soft, overlap)
    content = Content(
        masks.size, DEFAULT_FPS if clip is None else clip.fps, _frames(clip),
        times=None if clip is None else clip.times,
        name=masks.name if clip is None else clip.name,
        object_ids=masks.object_ids, count=masks.count,
        files=None if clip is None else clip.image_names,
        background=iter(()) if background is None else background.frames(masks.size),
    )  # fmt: skip
    with open_writer(form, out, content) as writer:
        for frame, mask in enumerate(_taken(masks, form, cleaning, soft, overlap)):
            writer.write(frame, mask)
            progress(frame + 1, masks.count)
    return masks.count


def _frames(clip: Clip | None) -> Iterator[Frame]:
    return iter(()) if clip is None else clip.frames()


def _taken(
    masks: MaskSequence, form: str, cleaning: Cleaning, soft: bool, overlap: bool
) -> Iterator[npt.NDArray[Any]]:
    """What a format takes, a frame after the other."""
    takes, probable = WRITERS[form].takes, masks.read_probabilities
    if takes == "probabilities" and probable:
        yield from probable()
    elif takes == "doubt" and probable:
        yield from map(doubt_of, probable())
    elif soft and probable:
        yield from map(alpha_of, probable())
    elif overlap and probable:
        yield from _cleaned_each(map(own_masks, probable()), len(masks.object_ids), cleaning)
    else:
        for mask in cleaning.clean(masks.read()):
            if takes == "alpha":
                yield np.where(mask > 0, 255, 0).astype(np.uint8)
            else:
                yield object_masks(mask, masks.object_ids) if takes == "objects" else mask


def _cleaned_each(
    masks: Iterable[ObjectMasks], objects: int, cleaning: Cleaning
) -> Iterator[ObjectMasks]:
    """Objects' masks, each cleaned by itself."""

    def cleaned(number: int, every: Iterable[ObjectMasks]) -> Iterator[Mask]:
        return cleaning.clean(frame[number] for frame in every)

    for each in zip(*map(cleaned, range(objects), tee(masks, objects)), strict=True):
        yield np.stack(each)


def _check_options(
    masks: MaskSequence, form: str, cleaning: Cleaning, soft: bool, overlap: bool
) -> None:
    takes = WRITERS[form].takes
    for option, given, wanted in (("--soft", soft, "alpha"), ("--overlap", overlap, "objects")):
        if given and takes != wanted:
            good = ", ".join(name for name, one in WRITERS.items() if one.takes == wanted)
            raise UsageError(f"{option} does not go with {form}; it is for {good}")
    probabilities = takes in ("probabilities", "doubt")
    if (soft or overlap or probabilities) and masks.read_probabilities is None:
        what = f"--as {form}" if probabilities else "--soft" if soft else "--overlap"
        raise UsageError(
            f"{what} needs a decoder's probabilities: give --adapter, of a preset with a decoder"
        )
    if cleaning and (soft or probabilities):
        raise UsageError(
            "masks are cleaned, probabilities are not; leave out --smooth, --drop-specks, "
            "--largest and --fill-holes"
        )


def _check(
    masks: MaskSequence,
    form: str,
    out: Path,
    clip: Clip | None,
    background: Background | None,
    force: bool,
) -> None:
    if WRITERS[form].shows_background != (background is not None):
        shown = ", ".join(name for name, one in WRITERS.items() if one.shows_background)
        raise UsageError(f"--background goes with {shown}, and {shown} with --background")
    if clip is None and WRITERS[form].shows_frames:
        raise UsageError(f"{form} shows the clip's frames; give --clip, and --frames if need be")
    if clip is not None and (clip.expected_frames, clip.size) != (masks.count, masks.size):
        raise OutputError(
            f"{clip.path}: has {clip.expected_frames} frames of {_pixels(clip.size)}, the masks "
            f"are {masks.count} of {_pixels(masks.size)}; give the --frames they are of"
        )
    read = [*masks.inputs, *([] if clip is None else [clip.path])]
    check_apart(out, [*read, *([] if background is None else background.inputs)])
    if not force:
        if WRITERS[form].suffix:
            check_replaceable(out, is_our_video)
        else:
            check_folder_replaceable(out)


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
