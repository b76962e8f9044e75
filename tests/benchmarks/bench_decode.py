"""Videos: decoding beside OpenCV's, what an index costs, and the first frame far into a clip.

python tests/benchmarks/bench_decode.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from common import best_of, bikes, table

from vostool.clips import Clip, open_clip

FRAMES = 200
SIZE = (1080, 1920)


def write_1080p(file: Path, codec: str, options: dict[str, str]) -> Path:
    """The sample clip's shot, enlarged, to and fro."""
    shot = list(open_clip(bikes(), frames=(187, 242)).frames())
    order = [abs(n % (2 * len(shot) - 2) - len(shot) + 1) for n in range(FRAMES)]
    assert all(abs(one - other) == 1 for one, other in pairwise(order))
    with av.open(file, "w") as container:
        stream = container.add_stream(codec, rate=24, options=options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = SIZE
        for number, place in enumerate(order):
            picture = cv2.resize(shot[place], SIZE[::-1], interpolation=cv2.INTER_CUBIC)
            frame = VideoFrame.from_ndarray(picture.astype(np.uint8))
            frame.pts, frame.time_base = number, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def by_opencv(file: Path) -> None:
    """Decode all of a video as vostool once did."""
    capture = cv2.VideoCapture(str(file))
    while (read := capture.read())[0]:
        cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "the sample clip, 640x272": bikes(),
            "H.264, 1920x1080": write_1080p(
                Path(folder) / "a.mp4", "libx264", {"crf": "20", "g": "48"}
            ),
            "HEVC, 1920x1080": write_1080p(
                Path(folder) / "b.mp4",
                "libx265",
                {"crf": "23", "x265-params": "log-level=none:keyint=48"},
            ),
        }
        rows: list[tuple[object, ...]] = []
        for name, file in files.items():
            clip = Clip("bench", file)
            frames = clip.expected_frames
            work: list[Callable[[], object]] = [
                lambda file=file: by_opencv(file),  # type: ignore[misc]
                lambda clip=clip: [None for _ in clip.frames()],  # type: ignore[misc]
                lambda file=file: Clip("bench", file).fingerprint,  # type: ignore[misc]
                lambda clip=clip, last=frames - 9: next(clip.frames(last)),  # type: ignore[misc]
            ]
            opencv, ours, index, seek = map(best_of, work)
            rows.append(
                (name, f"{frames / opencv:.0f}", f"{frames / ours:.0f}",
                 f"{1000 * index:.0f}", f"{1000 * seek:.0f}")
            )  # fmt: skip
    table(
        "videos",
        ("clip", "OpenCV, frames/s", "vostool, frames/s", "index and fingerprint, ms",
         "ninth frame from the end, ms"),
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    main()
