"""Video files: which frames they have, and any of them exactly.

FFmpeg reads them, through PyAV. A frame's number is its place in the order of presentation, and is
the same wherever reading begins: see :mod:`vostool.video.index`.
"""

from __future__ import annotations

from vostool.video.decoding import read_frames
from vostool.video.index import VideoIndex, index_video

__all__ = ["VideoIndex", "index_video", "read_frames"]
