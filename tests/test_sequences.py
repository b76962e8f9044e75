"""Protects clips that are images: which they are, in which order, and how they look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

import vostool as package
from tests.conftest import Vostool
from vostool.clips import default_name, open_clip
from vostool.errors import ClipError, ImageError, OutputError
from vostool.images import Frame

SIZE = (24, 32)


def noise(seed: int) -> Frame:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def write_exr(file: Path, light: np.ndarray) -> Path:
    """Linear light (H, W, 3) float32."""
    with av.open(f"{file}", "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("exr")
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = *light.shape[:2], "gbrpf32le"
        frame = VideoFrame.from_ndarray(light, format="gbrpf32le", channel_last=True)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


@pytest.mark.parametrize("suffix", ["png", "tif", "tiff", "TIF", "webp"])
def test_images_without_loss_come_back_as_they_are(tmp_path: Path, suffix: str) -> None:
    for number in range(3):
        Image.fromarray(noise(number)).save(tmp_path / f"{number}.{suffix}", lossless=True)
    for number, frame in enumerate(open_clip(tmp_path).frames()):
        np.testing.assert_array_equal(frame, noise(number))


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("mode", ["RGBA", "L", "LA", "P"])
def test_grey_indexed_and_transparent_images_are_seen_in_rgb(
    tmp_path: Path, suffix: str, mode: str
) -> None:
    image = Image.fromarray(noise(0)).convert(mode)
    image.save(tmp_path / f"0.{suffix}", lossless=True)
    frame = next(open_clip(tmp_path).frames())
    np.testing.assert_array_equal(frame, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("suffix", ["jpg", "tif", "webp", "png"])
def test_turned_images_are_upright(tmp_path: Path, suffix: str) -> None:
    lying = np.zeros((32, 48, 3), np.uint8)
    lying[:, :24] = 255  # light is left, and is to be above
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(lying).save(tmp_path / f"0.{suffix}", exif=exif)
    upright = next(open_clip(tmp_path).frames())
    assert upright.shape == (48, 32, 3)
    assert upright[:20].mean() > 240 and upright[-20:].mean() < 15


def test_16_bits_are_brought_to_8(tmp_path: Path) -> None:
    words = np.linspace(0, 65535, 24 * 32).astype(np.uint16).reshape(SIZE)
    for suffix in ("png", "tif"):
        Image.fromarray(words).save(tmp_path / f"0.{suffix}")
        frame = next(open_clip(tmp_path).frames())
        np.testing.assert_allclose(frame[..., 0], words / 257, atol=0.51)
        (tmp_path / f"0.{suffix}").unlink()


def test_linear_light_is_seen_as_on_a_screen(tmp_path: Path) -> None:
    light = np.zeros((*SIZE, 3), np.float32)
    light[...] = (0.18, 1.0, 3.0)
    write_exr(tmp_path / "shot_0001.exr", light)
    frame = next(open_clip(tmp_path / "shot_%04d.exr").frames())
    assert frame.shape == (*SIZE, 3)
    np.testing.assert_allclose(frame[3, 3], (118, 255, 255), atol=1)
    content = (tmp_path / "shot_0001.exr").read_bytes()
    for left in (0, 20, len(content) // 2):
        (tmp_path / "shot_0001.exr").write_bytes(content[:left])
        with pytest.raises(ImageError, match=r"shot_0001\.exr: not a whole image"):
            open_clip(tmp_path)


def test_pages_of_a_stack_are_frames(tmp_path: Path) -> None:
    pages = [Image.fromarray(noise(number)) for number in range(6)]
    pages[0].save(tmp_path / "cells.tif", save_all=True, append_images=pages[1:])
    clip = open_clip(tmp_path / "cells.tif", frames=(1, 5))
    assert (clip.name, clip.expected_frames, clip.size) == ("cells", 4, SIZE)
    for number, frame in enumerate(clip.frames(), 1):
        np.testing.assert_array_equal(frame, noise(number))
    prints = {open_clip(tmp_path / "cells.tif", frames=(n, 5)).fingerprint for n in range(3)}
    assert len(prints) == 3


def test_a_pattern_takes_the_numbers_it_names(tmp_path: Path) -> None:
    for number in (8, 9, 10, 11):
        Image.fromarray(noise(number)).save(tmp_path / f"shot_{number:04d}.png")
        Image.fromarray(noise(0)).save(tmp_path / f"shot_{number:04d}_proxy.png")
    Image.fromarray(noise(0)).save(tmp_path / "shot_9.png")
    clip = open_clip(tmp_path / "shot_%04d.png")
    assert (clip.name, clip.expected_frames, clip.incomplete) == ("shot", 4, None)
    for number, frame in zip((8, 9, 10, 11), clip.frames(), strict=True):
        np.testing.assert_array_equal(frame, noise(number))
    assert default_name(tmp_path / "%d.png") == tmp_path.name
    with pytest.raises(ClipError, match=r"no JPEG.* match this pattern"):
        open_clip(tmp_path / "other_%04d.png")


def test_gaps_are_told_of_and_refused_where_all_is_wanted(tmp_path: Path, vostool: Vostool) -> None:
    for number in (*range(0, 4), 5, *range(9, 13)):
        Image.fromarray(noise(number)).save(tmp_path / f"s{number:03d}.png")
    pattern = tmp_path / "s%03d.png"
    clip = open_clip(pattern)
    assert clip.expected_frames == 9
    assert clip.incomplete == f"{pattern}: there is no image of the numbers 4, 6-8"
    with pytest.raises(ClipError, match="4, 6-8; restore it, or leave out --strict"):
        open_clip(pattern, strict=True)
    assert open_clip(pattern, frames=(0, 4), strict=True).expected_frames == 4
    assert open_clip(tmp_path).incomplete is None, "a folder says nothing of numbers"
    done = vostool("extract", pattern, "--frames", "2:6")
    assert done.status == 0 and done.out == "s\n"
    assert "there is no image of the numbers 4, 6-8" in done.err


def test_every_fifth_number_leaves_none_out(tmp_path: Path) -> None:
    for number in range(0, 30, 5):
        Image.fromarray(noise(number)).save(tmp_path / f"{number:05d}.jpg")
    assert open_clip(tmp_path / "%05d.jpg", strict=True).expected_frames == 6


@pytest.mark.parametrize("source", ["array", "list", "iterator"])
def test_frames_from_memory_become_a_clip(tmp_path: Path, source: str) -> None:
    frames = [noise(number) for number in range(5)]

    def one_by_one() -> Iterator[Frame]:
        yield from frames

    kinds: dict[str, Iterable[Frame]] = {
        "array": np.stack(frames), "list": frames, "iterator": one_by_one(),
    }  # fmt: skip
    given = kinds[source]
    file = package.write_clip(tmp_path / "made.mkv", given, fps=30)
    clip = open_clip(file)
    assert (clip.expected_frames, clip.fps) == (5, 30.0)
    for frame, want in zip(clip.frames(), frames, strict=True):
        np.testing.assert_array_equal(frame, want)
    with pytest.raises(OutputError, match="is there"):
        package.write_clip(file, frames)


def test_frames_from_memory_that_make_no_clip_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "made.mkv"
    bad: tuple[list[Any], ...] = (
        [],
        [noise(0), noise(1)[1:]],
        [noise(0)[..., 0]],
        [noise(0).astype(np.float32)],
    )
    for frames in bad:
        with pytest.raises(ClipError, match=r"made\.mkv: "):
            package.write_clip(file, frames)
        assert list(tmp_path.iterdir()) == []
