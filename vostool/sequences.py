"""Pictures that make up a clip: a folder of images, a numbered sequence, an image of many pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from vostool.errors import ClipError
from vostool.images import is_image, page_count

TIFF = (".tif", ".tiff")
PATTERN = re.compile(r"(?P<before>.*)%0?(?P<digits>\d*)d(?P<after>.*)")
"""A name with a place for a number, as C's printf has it: ``shot_%04d.exr``."""


@dataclass(frozen=True)
class Picture:
    """One frame.

    Attributes:
        file: the image.
        page: which of its pages.
        number: of its file's name, in a numbered sequence.
    """

    file: Path
    page: int = 0
    number: int | None = None


def is_pattern(path: Path) -> bool:
    """Whether a path names a numbered sequence, and no file that is there."""
    return PATTERN.fullmatch(path.name) is not None and not path.exists()


def pattern_name(path: Path) -> str:
    """What a numbered sequence is called: its names without the number, or else its folder's."""
    return PATTERN.sub(r"\g<before>", path.name).strip(" ._-") or path.resolve().parent.name


def list_pictures(path: Path, channel: int | str | None = None) -> list[Picture]:
    """The pictures of a folder, of a pattern, or of an image file, in order.

    Args:
        path: where they are.
        channel: of a TIFF stack, which one is wanted of those that lie in pages of their own.

    Raises:
        ImageError: it is a file, and no whole image.
        ClipError: it is a stack that has no such channel, or several and none is chosen.
    """
    if path.is_dir():
        images = filter(is_image, path.iterdir())  # hidden files are none
        return [
            Picture(file)
            for file in sorted(images, key=lambda file: (_natural_order(file), file.name))
        ]
    if is_pattern(path):
        return _numbered(path)
    return [Picture(path, page) for page in _pages(path, channel)]


def _pages(file: Path, channel: int | str | None) -> Sequence[int]:
    count = page_count(file)
    pages = None
    if file.suffix.lower() in TIFF:
        from vostool.microscopy.tiff import pages_of

        pages = pages_of(file, channel)
    if pages is None and channel is not None:
        raise ClipError(
            f"{file}: does not tell of channels in pages of their own; leave --channel out"
        )
    return range(count) if pages is None else pages


def missing(pictures: list[Picture]) -> str | None:
    """Which numbers a sequence leaves out, in a few words; None where it leaves out none.

    Every second number alone, or every fifth, is a whole sequence.
    """
    numbers = [picture.number for picture in pictures if picture.number is not None]
    steps = {later - number for number, later in pairwise(numbers)}
    if len(steps) < 2:
        return None
    return describe(
        range(number + 1, later)
        for number, later in pairwise(numbers)
        if later - number > min(steps)
    )


def describe(gaps: Iterable[range]) -> str:
    """Ranges of numbers in a few words: ``3, 7-9``."""
    words = [str(gap[0]) if len(gap) == 1 else f"{gap[0]}-{gap[-1]}" for gap in gaps]
    more = f" and {len(words) - 3} more gaps" if len(words) > 4 else ""
    return ", ".join(words[: 3 if more else 4]) + more


def _numbered(path: Path) -> list[Picture]:
    found = PATTERN.fullmatch(path.name)
    assert found is not None
    digits = rf"(\d{{{int(found['digits'] or 1)},}})"
    name = re.compile(re.escape(found["before"]) + digits + re.escape(found["after"]))
    matches = [(file, name.fullmatch(file.name)) for file in path.parent.glob("*")]
    pictures = [Picture(file, number=int(match[1])) for file, match in matches if match]
    return sorted(pictures, key=lambda picture: (picture.number or 0, picture.file.name))


def _natural_order(file: Path) -> list[tuple[int, str]]:
    """Sort key under which frame_2 comes before frame_10."""
    parts = re.split(r"(\d+)", file.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
