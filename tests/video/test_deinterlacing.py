"""Protects interlaced footage that is read without its combs: every frame, wherever one begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Vostool
from tests.video.footage import Kind, write_clip
from vostool.clips import Clip, open_clip
from vostool.errors import ClipError, UsageError
from vostool.images import Frame
from vostool.reading import Reading

SIZE = (96, 128)
FRAMES = 14
DEINTERLACED = Reading(deinterlace=True)
INTERLACED = Kind(
    "tv.mkv", "libx264", "yuv420p",
    {"crf": "4", "g": "6", "bf": "2", "flags": "+ildct+ilme", "x264-params": "bff=1"}, size=SIZE,
)  # fmt: skip


def field(number: int) -> Frame:
    """What is recorded at a time: a bar that moves fast to the right."""
    picture = np.full((*SIZE, 3), 60, np.uint8)
    picture[10:86, 8 + 3 * number : 24 + 3 * number] = 200
    return picture


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """Each frame has the odd lines of one time, and the even lines of the next, as PyAV tags it."""
    frames = []
    for number in range(FRAMES):
        woven = field(2 * number)
        woven[::2] = field(2 * number + 1)[::2]
        frames.append(woven)
    return open_clip(write_clip(tmp_path / INTERLACED.name, INTERLACED, frames))


def combs(frame: Frame) -> float:
    """How much lines differ from those between which they lie."""
    grey = frame[..., 1].astype(float)
    return float(np.abs(grey[1:-1] - (grey[:-2] + grey[2:]) / 2)[12:80].mean())


def test_each_frame_is_that_of_its_first_field(clip: Clip) -> None:
    woven = list(clip.frames())
    whole = list(open_clip(clip.path, reading=DEINTERLACED).frames())
    assert len(whole) == len(woven) == FRAMES
    for number, (mended, combed) in enumerate(zip(whole, woven, strict=True)):
        assert combs(combed) > 4 and combs(mended) < 0.3 * combs(combed)
        if 0 < number < FRAMES - 1:
            error = np.abs(mended.astype(int) - field(2 * number)).mean()
            assert error < 0.6 * np.abs(combed.astype(int) - field(2 * number)).mean()


def test_a_frame_is_the_same_wherever_one_begins(clip: Clip) -> None:
    """Its neighbours decide it, so they are decoded too."""
    every = list(open_clip(clip.path, reading=DEINTERLACED).frames())
    for start in range(FRAMES):
        for stop in (start + 1, FRAMES):
            some = open_clip(clip.path, frames=(start, stop), reading=DEINTERLACED)
            np.testing.assert_array_equal(list(some.frames()), every[start:stop])


def test_it_is_another_clip_by_its_fingerprint(clip: Clip) -> None:
    assert open_clip(clip.path).fingerprint == clip.fingerprint
    assert open_clip(clip.path, reading=DEINTERLACED).fingerprint != clip.fingerprint


def test_what_there_is_not_is_refused(clip: Clip, square_clip: Path) -> None:
    with pytest.raises(ClipError, match="--deinterlace"):
        open_clip(square_clip, reading=DEINTERLACED)
    with pytest.raises(ClipError, match="--contrast"):
        open_clip(clip.path, reading=Reading(contrast=(0, 9)))
    with pytest.raises(UsageError, match="9:9"):
        Reading(contrast=(9, 9))


def test_what_was_extracted_so_is_shown_so(clip: Clip, tmp_path: Path, vostool: Vostool) -> None:
    """Later commands read the frames as ``extract`` did."""
    for name, options in (("woven", ()), ("mended", ("--deinterlace",))):
        done = vostool("extract", clip.path, "--name", name, "--frames", "2:8", *options)
        assert done.status == 0, done.err
    painted = np.zeros(SIZE, np.uint8)
    painted[40:50, 24:30], painted[40:50, 80:] = 1, 255
    (tmp_path / "strokes").mkdir()
    Image.fromarray(painted).save(tmp_path / "strokes" / "00000.png")
    done = vostool("adapt", "mended", "--scribbles", "strokes", "--out", "a.h5")
    assert done.status == 0, done.err
    done = vostool("export", "--adapter", "a.h5", "--as", "cutout", "--out", "cut")
    assert done.status == 0, done.err
    want = list(open_clip(clip.path, frames=(2, 8), reading=DEINTERLACED).frames())
    for number, frame in enumerate(want):
        shown = np.asarray(Image.open(tmp_path / "cut" / f"{number:05d}.png"))[..., :3]
        np.testing.assert_array_equal(shown, frame)
    again = vostool("extract", clip.path, "--name", "mended", "--frames", "2:8", "--deinterlace")
    assert again.status == 0 and "again" not in again.err
