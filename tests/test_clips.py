"""Protects what a clip is: which frames it has, in which order, and when it is refused.

A feature store is only as good as the frames under it, so a frame that is corrupt, missing or of
another size must end the reading with one line that names it, and never be made up or left out.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vostool.clips import Clip, open_clip, open_davis_sequence
from vostool.errors import ClipError, ImageError, VostoolError
from vostool.images import Frame

RED, GREEN = (250, 10, 10), (10, 250, 10)


def flat(colour: tuple[int, int, int] = RED, size: tuple[int, int] = (6, 8)) -> Frame:
    return np.full((*size, 3), colour, np.uint8)


def noise(seed: int, size: tuple[int, int] = (48, 64)) -> Frame:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def write_folder(folder: Path, frames: Sequence[Frame], suffix: str = ".png") -> Path:
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"{number:05d}{suffix}")
    return folder


def write_video(file: Path, frames: Sequence[Frame], codec: str = "mp4v") -> Path:
    height, width = frames[0].shape[:2]
    fourcc = cv2.VideoWriter.fourcc(*codec)
    writer = cv2.VideoWriter(str(file), fourcc, 12.0, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return file


def greys(count: int) -> list[Frame]:
    """Flat frames that a lossy codec cannot mix up: frame n is n * 20 grey."""
    return [flat((20 * n, 20 * n, 20 * n), (32, 32)) for n in range(count)]


def grey_numbers(clip: Clip, start: int = 0) -> list[int]:
    return [round(float(frame.mean()) / 20) for frame in clip.frames(start)]


def cut_in_half(file: Path) -> Path:
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    return file


def message(problem: pytest.ExceptionInfo[VostoolError]) -> str:
    text = str(problem.value)
    assert "\n" not in text
    return text


# --- folders ---------------------------------------------------------------------------------


def test_folder_gives_its_frames_in_rgb(tmp_path: Path) -> None:
    frames = [noise(seed, (5, 7)) for seed in range(3)]
    clip = open_clip(write_folder(tmp_path / "swan", frames))
    assert (clip.name, clip.size, clip.expected_frames, clip.fps) == ("swan", (5, 7), 3, 24.0)
    for got, want in zip(clip.frames(), frames, strict=True):
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, want)


def test_jpeg_colours_are_rgb_and_not_bgr(tmp_path: Path) -> None:
    clip = open_clip(write_folder(tmp_path / "c", [flat(RED)], ".JPG"))
    np.testing.assert_allclose(next(clip.frames()), flat(RED), atol=4)


def test_other_files_in_the_folder_are_no_frames(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "c", [flat()] * 2)
    (folder / "notes.txt").write_text("hello")
    (folder / "Thumbs.db").write_bytes(b"\0")
    assert open_clip(folder).expected_frames == 2


def test_frame_2_comes_before_frame_10(tmp_path: Path) -> None:
    for number in (10, 2, 1, 33):
        Image.fromarray(flat()).save(tmp_path / f"frame_{number}.png")
    names = [file.name for file in open_clip(tmp_path).files]
    assert names == ["frame_1.png", "frame_2.png", "frame_10.png", "frame_33.png"]


@pytest.mark.parametrize("backwards", [False, True])
def test_order_does_not_hang_on_how_the_disk_lists_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backwards: bool
) -> None:
    for name in ("1.png", "01.png", "001.png", "2.png"):
        Image.fromarray(flat()).save(tmp_path / name)
    listing = sorted(tmp_path.iterdir(), reverse=backwards)
    monkeypatch.setattr(Path, "iterdir", lambda _: iter(listing))
    names = [file.name for file in open_clip(tmp_path).files]
    assert names == ["001.png", "01.png", "1.png", "2.png"]


@settings(max_examples=20, deadline=None)
@given(numbers=st.sets(st.integers(0, 10**6), min_size=1, max_size=6), prefix=st.sampled_from("a_"))
def test_numbered_names_are_ordered_by_number(
    tmp_path_factory: pytest.TempPathFactory, numbers: set[int], prefix: str
) -> None:
    folder = tmp_path_factory.mktemp("natural")
    for number in numbers:
        (folder / f"{prefix}{number}.png").touch()
    got = [int(file.stem.removeprefix(prefix)) for file in Clip("c", folder).files]
    assert got == sorted(numbers)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    lying = np.concatenate([flat(RED, (16, 16)), flat(GREEN, (16, 16))], axis=1)  # red | green
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to show it
    Image.fromarray(lying).save(tmp_path / "0.jpg", exif=exif, quality=95, subsampling=0)
    clip = open_clip(tmp_path)
    assert clip.size == (32, 16)
    upright = next(clip.frames())
    np.testing.assert_allclose(upright[:12], flat(RED, (12, 16)), atol=12)
    np.testing.assert_allclose(upright[-12:], flat(GREEN, (12, 16)), atol=12)


# --- videos ----------------------------------------------------------------------------------


def test_video_gives_its_frames_in_order(tmp_path: Path) -> None:
    clip = open_clip(write_video(tmp_path / "walk.mp4", greys(9)))
    assert (clip.name, clip.size, clip.expected_frames) == ("walk", (32, 32), 9)
    assert clip.fps == pytest.approx(12.0)
    assert grey_numbers(clip) == list(range(9))


def test_video_that_tells_no_frame_count_is_not_called_empty(tmp_path: Path) -> None:
    file = tmp_path / "v.mjpeg"  # JPEGs one after the other; WebM from a browser is alike
    images = write_folder(tmp_path / "c", greys(5), ".jpg")
    file.write_bytes(b"".join(image.read_bytes() for image in sorted(images.iterdir())))
    try:
        read = grey_numbers(open_clip(file))
    except ClipError as problem:
        refused = str(problem)
        read = [0, 1, 2, 3, 4]
    else:
        refused = ""
    assert read == [0, 1, 2, 3, 4]
    assert "empty" not in refused


def test_video_colours_are_rgb_and_not_bgr(tmp_path: Path) -> None:
    clip = open_clip(write_video(tmp_path / "v.mp4", [flat(RED, (32, 32))] * 3))
    np.testing.assert_allclose(next(clip.frames()), flat(RED, (32, 32)), atol=25)


# --- names, ranges, starts -------------------------------------------------------------------


def test_name_can_be_given(tmp_path: Path) -> None:
    assert open_clip(write_folder(tmp_path / "x", [flat()]), name="swan").name == "swan"


@pytest.mark.parametrize("kind", ["folder", "video"])
@pytest.mark.parametrize(
    ("frames", "want"),
    [((0, None), [0, 1, 2, 3, 4, 5, 6, 7]), ((2, 5), [2, 3, 4]), ((6, None), [6, 7]),
     ((0, 1), [0]), ((5, 99), [5, 6, 7])],
)  # fmt: skip
def test_range_takes_frames_as_python_counts_them(
    tmp_path: Path, kind: str, frames: tuple[int, int | None], want: list[int]
) -> None:
    source = (
        write_folder(tmp_path / "c", greys(8))
        if kind == "folder"
        else write_video(tmp_path / "c.mp4", greys(8))
    )
    clip = open_clip(source, frames=frames)
    assert clip.expected_frames == len(want)
    assert grey_numbers(clip) == want


@pytest.mark.parametrize("kind", ["folder", "video"])
def test_reading_can_start_at_any_frame_of_the_range(tmp_path: Path, kind: str) -> None:
    source = (
        write_folder(tmp_path / "c", greys(8))
        if kind == "folder"
        else write_video(tmp_path / "c.mp4", greys(8))
    )
    clip = open_clip(source, frames=(2, 7))
    for start in range(6):
        assert grey_numbers(clip, start) == [2, 3, 4, 5, 6][start:]


@pytest.mark.parametrize("frames", [(8, None), (3, 3), (5, 2), (100, 200)])
@pytest.mark.parametrize("kind", ["folder", "video"])
def test_empty_range_is_refused(tmp_path: Path, kind: str, frames: tuple[int, int | None]) -> None:
    source = (
        write_folder(tmp_path / "c", greys(8))
        if kind == "folder"
        else write_video(tmp_path / "c.mp4", greys(8))
    )
    with pytest.raises(ClipError) as problem:
        open_clip(source, frames=frames)
    assert str(source) in message(problem)
    assert "empty" in message(problem)


@pytest.mark.parametrize("frames", [(-3, None), (0, -2), (-5, -2)])
def test_negative_range_means_the_same_for_folders_and_videos(
    tmp_path: Path, frames: tuple[int, int | None]
) -> None:
    answers: list[list[int] | None] = []
    folder = write_folder(tmp_path / "c", greys(8))
    for source in (folder, write_video(tmp_path / "c.mp4", greys(8))):
        try:
            answers.append(grey_numbers(open_clip(source, frames=frames)))
        except ClipError:
            answers.append(None)
    assert answers[0] == answers[1]


# --- the fingerprint -------------------------------------------------------------------------


def test_renaming_and_moving_keep_the_fingerprint(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "before", greys(3))
    video = write_video(tmp_path / "before.mp4", greys(3))
    prints = open_clip(folder).fingerprint, open_clip(video).fingerprint
    moved = tmp_path / "elsewhere" / "after"
    moved.parent.mkdir()
    folder.rename(moved)
    for file in sorted(moved.iterdir()):
        file.rename(file.with_name(f"renamed_{file.name}"))
    after = open_clip(moved, name="z").fingerprint, open_clip(video.rename(moved / "w")).fingerprint
    assert after == prints


def test_content_changes_the_fingerprint(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "c", greys(3))
    before = open_clip(folder).fingerprint
    Image.fromarray(flat(GREEN, (32, 32))).save(folder / "00001.png")
    edited = open_clip(folder).fingerprint
    (folder / "00001.png").unlink()
    shorter = open_clip(folder).fingerprint
    assert len({before, edited, shorter}) == 3


def test_order_changes_the_fingerprint(tmp_path: Path) -> None:
    one = write_folder(tmp_path / "a", greys(3))
    other = write_folder(tmp_path / "b", greys(3)[::-1])
    assert open_clip(one).fingerprint != open_clip(other).fingerprint


@pytest.mark.parametrize("kind", ["folder", "video"])
def test_range_changes_the_fingerprint(tmp_path: Path, kind: str) -> None:
    source = (
        write_folder(tmp_path / "c", greys(5))
        if kind == "folder"
        else write_video(tmp_path / "c.mp4", greys(5))
    )
    ranges: list[tuple[int, int | None]] = [(0, None), (1, None), (0, 3), (1, 3)]
    assert len({open_clip(source, frames=taken).fingerprint for taken in ranges}) == len(ranges)


# --- streaming -------------------------------------------------------------------------------


def test_frames_are_decoded_when_they_are_asked_for(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "c", greys(4))
    stream = open_clip(folder).frames()
    next(stream)
    Image.fromarray(flat(GREEN, (32, 32))).save(folder / "00002.png")
    (folder / "00003.png").unlink()
    assert round(float(next(stream).mean()) / 20) == 1
    np.testing.assert_array_equal(next(stream), flat(GREEN, (32, 32)))
    with pytest.raises(ImageError, match=r"00003\.png"):
        next(stream)


def test_asking_for_frames_reads_nothing_yet(tmp_path: Path) -> None:
    clip = Clip("c", tmp_path / "gone.mp4")
    stream = clip.frames()
    with pytest.raises(ClipError, match=r"gone\.mp4"):
        next(stream)


# --- DAVIS -----------------------------------------------------------------------------------


@pytest.fixture
def davis_root(tmp_path: Path) -> Path:
    root = tmp_path / "DAVIS"
    write_folder(root / "JPEGImages" / "480p" / "bear", greys(4), ".jpg")
    write_folder(root / "JPEGImages" / "480p" / "camel", greys(2), ".jpg")
    return root


def test_davis_sequence_is_opened_by_its_name(davis_root: Path) -> None:
    clip = open_davis_sequence(davis_root, "bear", frames=(1, 3))
    assert (clip.name, clip.expected_frames, clip.size) == ("bear", 2, (32, 32))
    assert grey_numbers(clip) == [1, 2]
    assert open_davis_sequence(davis_root, "bear", name="b").name == "b"


@pytest.mark.parametrize("sequence", ["dog", "", "bear/../camel", "/", "Bear"])
def test_davis_sequence_that_is_not_there_is_refused(davis_root: Path, sequence: str) -> None:
    with pytest.raises(ClipError) as problem:
        open_davis_sequence(davis_root, sequence)
    assert repr(sequence) in message(problem)
    assert "2" in message(problem)


def test_folder_that_is_no_davis_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="JPEGImages/480p") as problem:
        open_davis_sequence(tmp_path, "bear")
    assert str(tmp_path) in message(problem)


# --- bad input -------------------------------------------------------------------------------


def test_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="no such clip") as problem:
        open_clip(tmp_path / "nothing")
    assert str(tmp_path / "nothing") in message(problem)


@pytest.mark.parametrize("other", [[], ["readme.txt", "mask.gif"]])
def test_folder_without_frames_is_refused(tmp_path: Path, other: list[str]) -> None:
    for name in other:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ClipError, match=r"no JPEG, PNG, .* images in this folder") as problem:
        open_clip(tmp_path)
    assert str(tmp_path) in message(problem)


def test_frame_of_another_size_is_named_with_both_sizes(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "c", [flat(size=(6, 8))] * 2 + [flat(size=(6, 9))])
    stream = open_clip(folder).frames()
    assert len(list(islice(stream, 2))) == 2
    with pytest.raises(ClipError) as problem:
        next(stream)
    for part in (str(folder / "00002.png"), "9x6", "8x6", "frame 2"):
        assert part in message(problem)


@pytest.mark.parametrize("start", [1, 2, 3])
def test_frame_of_another_size_is_refused_wherever_reading_starts(
    tmp_path: Path, start: int
) -> None:
    sizes = [(6, 8), (6, 8), (6, 9), (6, 9)]
    clip = open_clip(write_folder(tmp_path / "c", [flat(size=size) for size in sizes]))
    with pytest.raises(ClipError, match="one size"):
        list(clip.frames(start))


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("left", [0.0, 0.1, 0.5, 0.9])
def test_truncated_image_in_the_middle_is_named(tmp_path: Path, suffix: str, left: float) -> None:
    folder = write_folder(tmp_path / "c", [noise(n) for n in range(4)], suffix)
    broken = folder / f"00002{suffix}"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: int(left * len(whole))])
    stream = open_clip(folder).frames()
    assert len(list(islice(stream, 2))) == 2
    with pytest.raises(ImageError) as problem:
        next(stream)
    assert str(broken) in message(problem)


def test_image_that_is_something_else_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "c", [flat()] * 2)
    (folder / "00000.png").write_text("<html>not found</html>")
    with pytest.raises(ImageError) as problem:
        open_clip(folder)
    assert str(folder / "00000.png") in message(problem)


def test_folder_that_is_called_like_an_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.png").mkdir()
    with pytest.raises(ImageError) as problem:
        open_clip(tmp_path)
    assert str(tmp_path / "0.png") in message(problem)


def png_that_claims(width: int, height: int) -> bytes:
    """A tiny PNG whose header speaks of a huge image."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def test_image_whose_header_claims_an_absurd_size_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(png_that_claims(30000, 30000))
    with pytest.raises(ImageError) as problem:
        open_clip(tmp_path)
    assert str(tmp_path / "0.png") in message(problem)


@pytest.mark.parametrize("name", ["v.mp4", "v.avi", "v"])
def test_file_that_is_no_video_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(np.random.default_rng(1).bytes(5000))
    with pytest.raises(ClipError) as problem:
        open_clip(file)
    assert str(file) in message(problem)


def test_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").touch()
    with pytest.raises(ClipError, match=r"v\.mp4"):
        open_clip(tmp_path / "v.mp4")


def test_half_an_mp4_is_refused(tmp_path: Path) -> None:
    file = cut_in_half(write_video(tmp_path / "v.mp4", [noise(n) for n in range(20)]))
    with pytest.raises(ClipError) as problem:
        list(open_clip(file).frames())
    assert str(file) in message(problem)
