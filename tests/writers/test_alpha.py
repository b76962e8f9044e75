"""Protects objects that are cut out: alpha and colours, decoded again by another program."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest

import vostool as package
from tests.conftest import Vostool
from tests.video.footage import Kind, write_clip
from tests.writers.made import (
    FRAMES,
    MASKS,
    SIZE,
    Export,
    alpha_frames,
    alpha_plane,
    shown,
    vp9_frames,
)
from vostool.clips import open_clip
from vostool.images import read_image
from vostool.writers import WRITERS
from vostool.writers.composite import before


def test_cutout(export: Export) -> None:
    for frame, file in enumerate(sorted(export("cutout").glob("*.png"))):
        image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        assert image is not None
        np.testing.assert_array_equal(image[..., 3], np.where(MASKS[frame] > 0, 255, 0))
        np.testing.assert_array_equal(image[..., 2::-1], shown(frame))


def test_png_mov_is_without_loss(export: Export) -> None:
    frames = alpha_frames(export("png-mov"))
    assert len(frames) == FRAMES
    for frame, picture in enumerate(frames):
        np.testing.assert_array_equal(picture[..., 3], np.where(MASKS[frame] > 0, 255, 0))
        np.testing.assert_array_equal(picture[..., :3], shown(frame))


def test_prores_keeps_the_mask_to_the_pixel(export: Export) -> None:
    """And the colours nearly; the size is made a multiple of 16, with nothing in what is added."""
    frames = alpha_frames(export("prores"))
    assert len(frames) == FRAMES
    height, width = SIZE
    for frame, picture in enumerate(frames):
        assert picture.shape == (64, 96, 4)
        alpha = picture[..., 3]
        np.testing.assert_array_equal(alpha[:height, :width] > 127, MASKS[frame] > 0)
        assert set(np.unique(alpha)) <= {0, 254, 255}
        assert not alpha[height:].any() and not alpha[:, width:].any()
        assert abs(picture[:height, :width, :3].astype(int) - shown(frame)).mean() < 2


@pytest.mark.parametrize("background", ["#00c800", "other.mkv"])
def test_composite_shows_another_ground(folder: Path, vostool: Vostool, background: str) -> None:
    """A colour; or a clip of another size, that begins again when it is at its end."""
    grounds = [np.full((30, 40, 3), (200, 40 * n, 0), np.uint8) for n in range(4)]
    package.write_clip(folder / "other.mkv", grounds)
    done = vostool("export", "swan", "--as", "composite", "--clip", "clip", "--out", "c.mp4",
                   "--background", background)  # fmt: skip
    assert done.status == 0, done.err
    frames = [*open_clip(folder / "c.mp4").frames()]
    assert len(frames) == FRAMES
    for number, frame in enumerate(frames):
        colour = (0, 200, 0) if background[0] == "#" else (200, 40 * (number % 4), 0)
        inside = cv2.erode((MASKS[number] > 0).astype(np.uint8), np.ones((9, 9))) > 0
        outside = cv2.dilate((MASKS[number] > 0).astype(np.uint8), np.ones((17, 17))) == 0
        assert np.abs(frame.astype(int) - shown(number))[inside].mean() < 12
        assert np.abs(frame.astype(int) - colour)[outside].mean() < 6


def test_a_ground_shines_through_what_is_half_transparent() -> None:
    frame, ground = np.full((1, 3, 3), 200, np.uint8), np.full((1, 3, 3), 100, np.uint8)
    seen = before(ground, frame, np.array([[0, 51, 255]], np.uint8))
    np.testing.assert_array_equal(seen[0, :, 0], [100, 120, 200])


def test_grounds_that_are_none_are_refused(folder: Path, vostool: Vostool) -> None:
    for words, word in {
        ("composite", "--background", "no-colour"): "neither",
        ("composite",): "--background",
        ("cutout", "--background", "red"): "composite",
    }.items():
        done = vostool("export", "swan", "--clip", "clip", "--out", "o", "--as", *words)
        assert done.status == 2 and word in done.err, done.err
        assert not (folder / "o").exists()


def test_vp9_keeps_the_mask_at_a_half(export: Export) -> None:
    """Each pixel is on its side of it, single ones too; alpha and colours are nearly right."""
    out = export("vp9")
    frames = vp9_frames(out)
    assert len(frames) == FRAMES
    for frame, picture in enumerate(frames):
        alpha, inside = alpha_plane(picture).astype(int), MASKS[frame] > 0
        np.testing.assert_array_equal(alpha > 127, inside)
        assert np.abs(alpha - 255 * inside).max() < 64
        colours = picture.to_ndarray(format="rgb24").astype(int)
        assert abs(colours - shown(frame)).mean() < 4
    assert open_clip(out).incomplete is None
    export("vp9")  # it is known as vostool's


def test_exr_is_light_times_alpha(export: Export) -> None:
    """By OpenEXR's own reader; and by vostool's, the colours as they were."""
    out = export("exr")
    for frame, mask in enumerate(MASKS):
        file = out / f"{frame:05d}.exr"
        with OpenEXR.File(str(file)) as opened:
            picture = opened.channels()["RGBA"].pixels
        assert picture.dtype == np.float16
        np.testing.assert_array_equal(picture[..., 3], mask > 0)
        assert not picture[mask == 0].any()
        grey = shown(frame)[mask > 0] / 255  # all of it above the curve's straight part
        light = ((grey + 0.055) / 1.055) ** 2.4
        np.testing.assert_allclose(picture[mask > 0][:, :3], light, rtol=0.002, atol=0.0005)
        again = read_image(file).astype(int)
        assert np.abs(again - shown(frame))[mask > 0].max() <= 1


def test_videos_show_each_frame_when_the_clip_does(folder: Path, vostool: Vostool) -> None:
    times = (0, 40, 200, 240, 500, 510)
    kind = Kind("uneven.mkv", "ffv1", "yuv420p", {}, frames=FRAMES, size=SIZE, times=times)
    write_clip(folder / "uneven.mkv", kind)
    for form in ("png-mov", "prores", "vp9", "overlay"):
        out = folder / f"{form}{WRITERS[form].suffix}"
        done = vostool("export", "swan", "--as", form, "--clip", "uneven.mkv", "--out", out)
        assert done.status == 0, done.err
        assert open_clip(out).times == pytest.approx([t / 1000 for t in times], abs=0.002)
        assert (
            vostool("export", "swan", "--as", form, "--clip", "uneven.mkv", "--out", out).status
            == 0
        )
