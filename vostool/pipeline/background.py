"""What is put behind objects that are cut out: a colour, or another clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
from PIL import ImageColor

from vostool.clips import Clip, open_clip
from vostool.errors import UsageError
from vostool.images import Frame


@dataclass(frozen=True)
class Background:
    """A ground without end.

    Attributes:
        what: a clip; or a colour, (3,) uint8 RGB.
    """

    what: Clip | tuple[int, ...]

    @classmethod
    def of(cls, name: str) -> Background:
        """The clip of a name, or else the colour: ``green``, ``#00ff00``.

        Raises:
            UsageError: it is neither.
            ClipError: there is such a file, and it is no clip.
        """
        if Path(name).exists():
            return cls(open_clip(name))
        try:
            return cls(ImageColor.getrgb(name)[:3])
        except ValueError as problem:
            raise UsageError(
                f"--background {name}: neither a clip nor a colour; give a path, or such as #00ff00"
            ) from problem

    @property
    def inputs(self) -> list[Path]:
        """What is read."""
        return [self.what.path] if isinstance(self.what, Clip) else []

    def frames(self, size: tuple[int, int]) -> Iterator[Frame]:
        """Frames of a size (H, W): the clip's, stretched to it, over and over.

        Raises:
            ClipError, ImageError: the clip is damaged.
        """
        if not isinstance(self.what, Clip):
            yield from repeat(np.full((*size, 3), self.what, np.uint8))
            return
        while True:
            for frame in self.what.frames():
                stretched = cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)
                yield stretched.astype(np.uint8, copy=False)
