"""Masks as files: one file a format, and their table.

A format that joins is one module with a :class:`MaskWriter`, and one line of :data:`WRITERS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from vostool.images import Frame, Mask

WRITERS = {
    "png": f"{__name__}.png",
    "overlay": f"{__name__}.overlay",
}
"""The module of each format. It has ``open_writer(path, content)``, a context manager that yields a
:class:`MaskWriter`; what was written appears under the path when the context ends well."""


@dataclass(frozen=True)
class Content:
    """What the masks to be written are of.

    Attributes:
        size: (H, W) of the clip.
        fps: frames a second.
        frames: the clip's frames in order, for formats that show them.
        keeps: names of what stays where a folder is replaced.
        times: when each frame is shown, in seconds; None for all at ``fps``.
    """

    size: tuple[int, int]
    fps: float
    frames: Iterator[Frame]
    keeps: tuple[str, ...] = ()
    times: Sequence[float] | None = None

    def time(self, frame: int) -> float:
        """When a frame is shown, in seconds."""
        return frame / self.fps if self.times is None else self.times[frame]


class MaskWriter(Protocol):
    """Takes the masks of a clip, in order.

    Attributes:
        folder: the folder that is being made, until it takes its place; a file's, for a file.
    """

    folder: Path

    def write(self, frame: int, mask: Mask) -> None:
        """Take the next frame's mask.

        Args:
            frame: its number, from 0.
            mask: (H, W).
        """


def open_writer(name: str, path: Path, content: Content) -> AbstractContextManager[MaskWriter]:
    """Open a file or a folder to write masks to.

    Args:
        name: the format, one of :data:`WRITERS`.
        path: the file or the folder.
        content: what the masks are of.

    Raises:
        OutputError: it cannot be written there.
    """
    opened: AbstractContextManager[MaskWriter] = import_module(WRITERS[name]).open_writer(
        path, content
    )
    return opened
