"""The frames that browsers show: what is waited for comes first, and all come in the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np

from vostool.clips import Clip
from vostool.errors import ClipError
from vostool.images import Frame
from vostool.page.frames import FrameFiles

FRAMES = 40


class SlowClip:
    """A clip whose frames come when they are let.

    Attributes:
        begun: where its reading began, each time.
    """

    expected_frames = FRAMES

    def __init__(self, real: int = FRAMES) -> None:
        self.begun: list[int] = []
        self.let = threading.Semaphore(0)
        self._real = real

    def frames(self, start: int) -> Iterator[Frame]:
        self.begun.append(start)
        for number in range(start, self._real):
            self.let.acquire()
            yield np.full((8, 8, 3), number, np.uint8)
        if self._real < FRAMES:
            raise ClipError("breaks off")


def test_what_is_waited_for_comes_first(tmp_path: Path) -> None:
    clip = SlowClip()
    files = FrameFiles(cast(Clip, clip), tmp_path / "frames")
    files.start()
    came = threading.Event()

    def wait() -> None:
        if files.wait_for(30, 20):
            came.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not came.wait(0.02):
        clip.let.release()
    waiting.join()
    before = len(list((tmp_path / "frames").glob("*.jpg")))
    assert before < 30, "went through all that lies before"
    for _ in range(FRAMES):
        clip.let.release()
    files.join(20)
    assert len(list((tmp_path / "frames").glob("*.jpg"))) == FRAMES
    assert files.problem is None and 30 in clip.begun
    again = SlowClip()
    FrameFiles(cast(Clip, again), tmp_path / "frames").run()
    assert again.begun == [], "made what was there"


def test_a_clip_that_breaks_off_gives_what_there_is(tmp_path: Path) -> None:
    clip = SlowClip(real=5)
    for _ in range(FRAMES):
        clip.let.release()
    files = FrameFiles(cast(Clip, clip), tmp_path / "frames")
    files.run()
    assert files.wait_for(4, 1) and not files.wait_for(20, 1)
    assert files.problem == "breaks off"
