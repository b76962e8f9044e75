"""From masks on disk to the formats of other tools."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from vostool.cleaning import Cleaning
from vostool.clips import Clip
from vostool.errors import ImageError, OutputError, UsageError
from vostool.images import Frame, Mask, read_mask
from vostool.outputs import (
    check_apart,
    check_folder_replaceable,
    check_replaceable,
    is_our_video,
)
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
    """

    name: str
    size: tuple[int, int]
    count: int
    object_ids: tuple[int, ...]
    read: Callable[[], Iterator[Mask]]
    inputs: tuple[Path, ...]


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
        force: replace what vostool did not make.
        progress: told of frames done.

    Returns:
        How many frames were written.

    Raises:
        UsageError: frames are shown, and the clip is not given.
        ImageError: a mask is not whole.
        ClipError: the clip cannot be read.
        OutputError: the output cannot be written, or is the user's, or is read; or the clip's
            frames are not as many, or not as large, as the masks.
    """
    _check(masks, form, out, clip, force)
    content = Content(
        masks.size, DEFAULT_FPS if clip is None else clip.fps, _frames(clip),
        times=None if clip is None else clip.times,
        name=masks.name if clip is None else clip.name,
        object_ids=masks.object_ids, count=masks.count,
        files=None if clip is None or clip.video else [file.name for file in clip.files],
    )  # fmt: skip
    with open_writer(form, out, content) as writer:
        for frame, mask in enumerate(cleaning.clean(masks.read())):
            writer.write(frame, mask)
            progress(frame + 1, masks.count)
    return masks.count


def _frames(clip: Clip | None) -> Iterator[Frame]:
    return iter(()) if clip is None else clip.frames()


def _check(masks: MaskSequence, form: str, out: Path, clip: Clip | None, force: bool) -> None:
    if clip is None and WRITERS[form].shows_frames:
        raise UsageError(f"{form} shows the clip's frames; give --clip, and --frames if need be")
    if clip is not None and (clip.expected_frames, clip.size) != (masks.count, masks.size):
        raise OutputError(
            f"{clip.path}: has {clip.expected_frames} frames of {_pixels(clip.size)}, the masks "
            f"are {masks.count} of {_pixels(masks.size)}; give the --frames they are of"
        )
    check_apart(out, [*masks.inputs, *([] if clip is None else [clip.path])])
    if not force:
        if WRITERS[form].suffix:
            check_replaceable(out, is_our_video)
        else:
            check_folder_replaceable(out)


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
