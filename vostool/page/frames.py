"""The clip's frames as browsers show them: JPEGs in the session's folder, made once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import cv2

from vostool.clips import Clip
from vostool.errors import ClipError, ImageError

QUALITY = 90
"""Of the JPEGs."""


class FrameFiles(threading.Thread):
    """Writes the frames: those that are waited for, and else one after the other.

    Those that are there stay.

    Args:
        clip: the frames.
        folder: where they go; made if need be.

    Attributes:
        problem: why there are no more, if the clip breaks off.
    """

    def __init__(self, clip: Clip, folder: Path) -> None:
        super().__init__(name="vostool-frames", daemon=True)
        self.problem: str | None = None
        self._clip, self._folder = clip, folder
        self._came = threading.Condition()
        self._over = False
        self._wanted: list[int] = []

    def file(self, frame: int) -> Path:
        """Where a frame lies, or will lie."""
        return self._folder / f"{frame:05d}.jpg"

    def wait_for(self, frame: int, seconds: float) -> bool:
        """Whether a frame is there, perhaps after some time."""
        with self._came:
            self._wanted.append(frame)
            self._came.wait_for(lambda: self.file(frame).exists() or self._over, seconds)
            self._wanted.remove(frame)
            return self.file(frame).exists()

    def run(self) -> None:
        """Write what is missing."""
        try:
            self._folder.mkdir(exist_ok=True)
            every = range(self._clip.expected_frames)
            missing = {number for number in every if not self.file(number).exists()}
            while missing:
                self._write_from(self._next(missing), missing)
        except (ClipError, ImageError, OSError) as problem:
            self.problem = str(problem)
        with self._came:
            self._over = True
            self._came.notify_all()

    def _next(self, missing: set[int]) -> int:
        """The frame that was asked for last, or else the first."""
        with self._came:
            return next((n for n in reversed(self._wanted) if n in missing), min(missing))

    def _write_from(self, start: int, missing: set[int]) -> None:
        """Write frames from one on, until one elsewhere is waited for; they are missing no more."""
        for number, frame in enumerate(self._clip.frames(start), start):
            if number not in missing:
                return
            self._write(number, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
            missing.remove(number)
            with self._came:
                if any(n in missing and n != number + 1 for n in self._wanted):
                    return
        missing.difference_update([n for n in missing if n >= start])  # the clip breaks off

    def _write(self, number: int, frame: cv2.typing.MatLike) -> None:
        _, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        made = self._folder / "frame.tmp"
        made.write_bytes(jpeg.tobytes())
        os.replace(made, self.file(number))
        with self._came:
            self._came.notify_all()
