"""Protects the video to look at: it has its name only when its last frame is in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np
import pytest

from vostool.clips import open_clip
from vostool.errors import OutputError
from vostool.images import Frame
from vostool.masks import overlay
from vostool.writers import Content, MaskWriter, open_writer

SIZE = (32, 48)
NOTHING = np.zeros(SIZE, np.uint8)


def greys(*levels: int) -> Iterator[Frame]:
    return (np.full((*SIZE, 3), level, np.uint8) for level in levels)


def overlay_video(file: Path, *levels: int) -> AbstractContextManager[MaskWriter]:
    """A writer over grey frames."""
    return open_writer("overlay", file, Content(SIZE, 24.0, greys(*levels)))


def frames_of(file: Path) -> list[Frame]:
    capture, frames = cv2.VideoCapture(str(file)), []
    while (answer := capture.read())[0]:
        frames.append(answer[1].astype(np.uint8, copy=False))
    return frames


def test_overlay_video_appears_whole_and_leaves_nothing_beside(tmp_path: Path) -> None:
    file = tmp_path / "swan.mp4"
    with overlay_video(file, 20, 60, 100, 140, 180) as video:
        for t in range(5):
            video.write(t, NOTHING)
            assert not file.exists()
    assert list(tmp_path.iterdir()) == [file]
    frames = frames_of(file)
    assert {frame.shape for frame in frames} == {(32, 48, 3)}
    levels = [float(frame.mean()) for frame in frames]
    assert levels == pytest.approx([20, 60, 100, 140, 180], abs=8)


def test_overlay_video_shows_the_masks_over_the_frames(tmp_path: Path) -> None:
    file = tmp_path / "swan.mp4"
    mask = NOTHING.copy()
    mask[8:24, 8:24] = 1
    with overlay_video(file, 100) as video:
        video.write(0, mask)
    (shown,) = frames_of(file)
    expected = overlay(np.full((*SIZE, 3), 100, np.uint8), mask)[..., ::-1]
    for y, x in ((16, 16), (28, 40)):
        np.testing.assert_allclose(shown[y, x], expected[y, x], atol=25)


def test_overlay_video_that_fails_midway_leaves_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="out of frames"),
        overlay_video(tmp_path / "swan.mp4", 0) as video,
    ):
        video.write(0, NOTHING)
        raise RuntimeError("out of frames")
    assert list(tmp_path.iterdir()) == []


def test_overlay_video_that_fails_midway_keeps_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "swan.mp4"
    file.write_bytes(b"the video of yesterday")
    with pytest.raises(KeyboardInterrupt), overlay_video(file, 0) as video:
        video.write(0, NOTHING)
        raise KeyboardInterrupt
    assert file.read_bytes() == b"the video of yesterday"
    assert list(tmp_path.iterdir()) == [file]


def test_overlay_video_where_nothing_can_be_written_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "no" / "such" / "folder" / "swan.mp4"
    with pytest.raises(OutputError, match=r"swan\.mp4"), overlay_video(file):
        pytest.fail("there is nothing to write to")


def test_overlay_video_is_refused_where_a_folder_lies(tmp_path: Path) -> None:
    file = tmp_path / "swan.mp4"
    file.mkdir()
    with pytest.raises(OutputError, match=r"swan\.mp4"), overlay_video(file, 0) as video:
        video.write(0, NOTHING)
    assert list(tmp_path.iterdir()) == [file]


def test_overlay_video_shows_each_frame_when_the_clip_does(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.5, 0.52, 1.0]
    file = tmp_path / "swan.mp4"
    content = Content(SIZE, 24.0, greys(0, 50, 100, 150, 200), times=times)
    with open_writer("overlay", file, content) as video:
        for frame in range(5):
            video.write(frame, NOTHING)
    assert open_clip(file).times == pytest.approx(times, abs=1e-4)


def test_overlay_video_may_be_of_odd_size(tmp_path: Path) -> None:
    frames = iter([np.full((33, 47, 3), 90, np.uint8)])
    with open_writer("overlay", tmp_path / "odd.mp4", Content((33, 47), 24.0, frames)) as video:
        video.write(0, np.zeros((33, 47), np.uint8))
    assert [frame.shape for frame in frames_of(tmp_path / "odd.mp4")] == [(33, 47, 3)]
