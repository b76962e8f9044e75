"""A video in ProRes 4444, as editors take it: the frames, transparent where no object is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame

from vostool.images import Alpha, Frame
from vostool.writers import Content
from vostool.writers.cutout import cut_out
from vostool.writers.video import Coding, VideoWriter, open_video, with_bt709

CODING = Coding("mov", "prores_ks", "yuva444p10le", options={"profile": "4444", "alpha_bits": "16"})
BLOCK = 16
"""Pixels: FFmpeg's encoder spoils the edge of what is no multiple of it."""


def open_writer(file: Path, content: Content) -> AbstractContextManager[VideoWriter]:
    """Open a MOV to write to; it appears under its name when it is whole.

    Raises:
        OutputError: no video can be written there.
    """
    return open_video(file, CODING, _draw, content)


def _draw(frame: Frame, alpha: Alpha) -> VideoFrame:
    picture = cut_out(frame, alpha)
    below, right = (-side % BLOCK for side in picture.shape[:2])
    colours = np.pad(picture[..., :3], ((0, below), (0, right), (0, 0)), mode="edge")
    covering = np.pad(picture[..., 3:], ((0, below), (0, right), (0, 0)))
    return with_bt709(np.concatenate([colours, covering], axis=2), CODING.pixels)
