"""Protects the form of the results: masks that the DAVIS tools read, overlays that are whole.

A mask goes to disk and comes back index for index, in the palette that everyone expects; a video
has its name only when its last frame is in it.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from vostool.errors import VostoolError
from vostool.masks import davis_palette, mask_file, overlay, overlay_video, read_mask, write_mask

VOC = {
    0: (0, 0, 0),
    1: (128, 0, 0),
    2: (0, 128, 0),
    3: (128, 128, 0),
    4: (0, 0, 128),
    5: (128, 0, 128),
    6: (0, 128, 128),
    7: (128, 128, 128),
    8: (64, 0, 0),
    9: (192, 0, 0),
    15: (192, 128, 128),
    20: (0, 64, 128),
    255: (224, 224, 192),
}

masks = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=17), elements=st.integers(0, 255)
)


def an_object(size: tuple[int, int] = (20, 20)) -> npt.NDArray[np.uint8]:
    mask = np.zeros(size, np.uint8)
    mask[5:15, 5:15] = 1
    return mask


@pytest.mark.parametrize(("index", "colour"), VOC.items())
def test_palette_is_that_of_voc_and_davis(index: int, colour: tuple[int, int, int]) -> None:
    assert tuple(davis_palette()[index].tolist()) == colour


def test_palette_has_256_different_colours() -> None:
    palette = davis_palette()
    assert palette.shape == (256, 3)
    assert palette.dtype == np.uint8
    assert len(np.unique(palette, axis=0)) == 256


def test_mask_files_are_named_by_five_digits(tmp_path: Path) -> None:
    assert mask_file(tmp_path, 7) == tmp_path / "00007.png"
    assert mask_file(tmp_path, 123456) == tmp_path / "123456.png"


@settings(max_examples=40, deadline=None)
@given(mask=masks)
def test_mask_round_trip(
    tmp_path_factory: pytest.TempPathFactory, mask: npt.NDArray[np.uint8]
) -> None:
    file = tmp_path_factory.mktemp("masks") / "00000.png"
    write_mask(file, mask)
    again = read_mask(file)
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(again, mask)


@pytest.mark.parametrize("view", [np.s_[::2, ::2], np.s_[::-1], np.s_[:, 3:9]])
def test_mask_that_is_a_view_is_written_as_it_looks(
    tmp_path: Path, view: tuple[slice, ...]
) -> None:
    mask = np.random.default_rng(0).integers(0, 256, (12, 14), dtype=np.uint8)[view]
    write_mask(tmp_path / "0.png", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "0.png"), mask)


def test_mask_on_disk_is_indexed_with_the_palette(tmp_path: Path) -> None:
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_mask(tmp_path / "0.png", mask)
    with Image.open(tmp_path / "0.png") as image:
        assert (image.format, image.mode, image.size) == ("PNG", "P", (16, 16))
        colours = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(colours, davis_palette()[mask])


def test_grey_mask_is_read(tmp_path: Path) -> None:
    Image.fromarray(an_object()).save(tmp_path / "0.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "0.png"), an_object())


def test_mask_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VostoolError, match=r"none\.png"):
        read_mask(tmp_path / "none.png")


@pytest.mark.parametrize("left", [0, 20, 60])
def test_broken_mask_is_refused(tmp_path: Path, left: int) -> None:
    file = tmp_path / "00000.png"
    write_mask(file, an_object())
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(VostoolError, match=r"00000\.png") as problem:
        read_mask(file)
    assert "\n" not in str(problem.value)


def test_mask_whose_header_claims_an_absurd_size_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "00000.png"
    write_mask(file, an_object())
    png = bytearray(file.read_bytes())
    png[16:24] = struct.pack(">II", 30000, 30000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    file.write_bytes(png)
    with pytest.raises(VostoolError, match=r"00000\.png"):
        read_mask(file)


def test_rgb_mask_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "0.png")
    with pytest.raises(VostoolError, match="RGB"):
        read_mask(tmp_path / "0.png")


@settings(max_examples=30, deadline=None)
@given(mask=masks, opacity=st.floats(0, 1))
def test_overlay_keeps_shape_and_type(mask: npt.NDArray[np.uint8], opacity: float) -> None:
    frame = np.full((*mask.shape, 3), 100, np.uint8)
    shown = overlay(frame, mask, opacity)
    assert shown.shape == frame.shape
    assert shown.dtype == np.uint8
    assert (frame == 100).all()


def test_overlay_blends_inside_outlines_and_leaves_the_rest() -> None:
    frame = np.full((20, 20, 3), 100, np.uint8)
    shown = overlay(frame, an_object(), 0.5)
    assert shown[10, 10].tolist() == [114, 50, 50]  # half of (100, 100, 100) and of (128, 0, 0)
    assert shown[5, 10].tolist() == [255, 255, 255]
    np.testing.assert_array_equal(shown[:3], frame[:3])
    np.testing.assert_array_equal(shown[:, 17:], frame[:, 17:])


def test_overlay_of_nothing_is_the_frame() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(overlay(frame, np.zeros((6, 7), np.uint8)), frame)


def test_overlay_video_appears_whole_and_leaves_nothing_beside(tmp_path: Path) -> None:
    file = tmp_path / "swan.mp4"
    with overlay_video(file, (32, 48), 24.0) as video:
        for level in (20, 60, 100, 140, 180):
            video.write(np.full((32, 48, 3), level, np.uint8))
            assert not file.exists()
    assert list(tmp_path.iterdir()) == [file]
    capture = cv2.VideoCapture(str(file))
    levels = []
    while (answer := capture.read())[0]:
        assert answer[1].shape == (32, 48, 3)
        levels.append(float(answer[1].mean()))
    assert levels == pytest.approx([20, 60, 100, 140, 180], abs=8)


def test_overlay_video_that_fails_midway_leaves_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="out of frames"),
        overlay_video(tmp_path / "swan.mp4", (32, 48), 24.0) as video,
    ):
        video.write(np.zeros((32, 48, 3), np.uint8))
        raise RuntimeError("out of frames")
    assert list(tmp_path.iterdir()) == []


def test_overlay_video_that_fails_midway_keeps_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "swan.mp4"
    file.write_bytes(b"the video of yesterday")
    with (
        pytest.raises(KeyboardInterrupt),
        overlay_video(file, (32, 48), 24.0) as video,
    ):
        video.write(np.zeros((32, 48, 3), np.uint8))
        raise KeyboardInterrupt
    assert file.read_bytes() == b"the video of yesterday"
    assert list(tmp_path.iterdir()) == [file]


def test_overlay_video_where_nothing_can_be_written_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "no" / "such" / "folder" / "swan.mp4"
    with (
        pytest.raises(VostoolError, match=r"swan\.mp4"),
        overlay_video(file, (32, 48), 24.0),
    ):
        pytest.fail("there is nothing to write to")


def test_overlay_video_is_refused_where_a_folder_lies(tmp_path: Path) -> None:
    file = tmp_path / "swan.mp4"
    file.mkdir()
    with (
        pytest.raises(VostoolError, match=r"swan\.mp4"),
        overlay_video(file, (32, 48), 24.0) as video,
    ):
        video.write(np.zeros((32, 48, 3), np.uint8))
    assert list(tmp_path.iterdir()) == [file]
