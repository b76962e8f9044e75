"""A video of the objects before another ground: a colour, or another clip."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame

from vostool.images import Alpha, Frame
from vostool.writers import Content
from vostool.writers.overlay import CODING
from vostool.writers.video import VideoWriter, open_video


def before(ground: Frame, frame: Frame, alpha: Alpha) -> Frame:
    """What is seen of a frame and, where it is transparent, of the ground behind: (H, W, 3)."""
    share = alpha[..., None].astype(np.float32) / 255
    return np.asarray(np.rint(share * frame + (1 - share) * ground), np.uint8)


def open_writer(file: Path, content: Content) -> AbstractContextManager[VideoWriter]:
    """Open an MP4 to write to; it appears under its name when it is whole.

    Raises:
        OutputError: no video can be written there.
    """

    def draw(frame: Frame, alpha: Alpha) -> VideoFrame:
        return VideoFrame.from_ndarray(before(next(content.background), frame, alpha))

    return open_video(file, CODING, draw, content)
