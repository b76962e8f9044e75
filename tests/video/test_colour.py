"""Protects what is seen: frames upright, and in the colours that a viewer shows."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from vostool.clips import open_clip
from vostool.images import Frame

BT709, SMPTE170M, BT2020 = 1, 6, 9
PQ, HLG = 16, 18
NITS = (0.0, 1.0, 10.0, 50.0, 100.0, 203.0, 1000.0, 4000.0)
"""Of a screen: 203 is the white of paper, above it are lamps and the sun."""


def patches(size: tuple[int, int]) -> Frame:
    """Four colours that the matrices of HD and SD make differ by up to 30 levels."""
    picture = np.zeros((*size, 3), np.uint8)
    half, middle = size[0] // 2, size[1] // 2
    picture[:half, :middle], picture[:half, middle:] = (200, 40, 40), (40, 180, 60)
    picture[half:, :middle], picture[half:, middle:] = (50, 60, 190), (180, 180, 180)
    return picture


def write(file: Path, codec: str, frame: VideoFrame, options: dict[str, str]) -> Path:
    """A video of one frame, which keeps its tags."""
    with av.open(file, "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = frame.height, frame.width, frame.format.name
        stream.codec_context.color_range = frame.color_range
        stream.codec_context.color_primaries = frame.color_primaries
        stream.codec_context.color_trc = frame.color_trc
        stream.codec_context.colorspace = frame.colorspace
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p10le", "yuv444p12le"])
@pytest.mark.parametrize(
    ("height", "matrix", "tag"),
    [
        (96, Colorspace.ITU601, SMPTE170M),
        (96, Colorspace.ITU709, BT709),
        (96, Colorspace.ITU601, 2),  # nothing told, and small: taken for SD
        (720, Colorspace.ITU709, 2),  # nothing told, and large: taken for HD
        (720, Colorspace.ITU601, SMPTE170M),
    ],
)
def test_colours_come_back_by_the_matrix_they_were_made_with(
    tmp_path: Path, pixels: str, height: int, matrix: int, tag: int
) -> None:
    picture = patches((height, 128))
    frame = VideoFrame.from_ndarray(picture).reformat(
        format=pixels, dst_colorspace=matrix, dst_color_range=1
    )
    frame.colorspace, frame.color_range = tag, 1
    file = write(tmp_path / "v.mkv", "ffv1", frame, {})
    shown = next(open_clip(file).frames())
    for y, x in ((4, 4), (4, 120), (height - 4, 4), (height - 4, 120)):
        np.testing.assert_allclose(shown[y, x], picture[y, x], atol=4)


def pq(nits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The signal of SMPTE ST 2084 for an amount of light."""
    light = (nits / 10000) ** 0.1593017578125
    signal = (0.8359375 + 18.8515625 * light) / (1 + 18.6875 * light)
    return np.asarray(signal**78.84375)


def hlg(light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The signal of ARIB STD-B67 for an amount of light, of the scene's brightest."""
    bright = 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9)) + 0.55991073
    return np.asarray(np.where(light <= 1 / 12, np.sqrt(3 * light), bright))


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_is_brought_down_to_a_usual_screen(tmp_path: Path, transfer: int) -> None:
    """Nothing that differs is lost in black or white, and paper is as light as paper is."""
    signal = pq(np.array(NITS)) if transfer == PQ else hlg(np.array(NITS) / 4000)
    frame = VideoFrame(16 * len(NITS), 64, "yuv420p10le")
    luma = np.repeat(np.rint(64 + 876 * signal), 16).astype(np.uint16)
    for plane, values in zip(frame.planes, (luma, np.uint16(512), np.uint16(512)), strict=True):
        rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
        rows[:, : plane.width] = values
        plane.update(rows.tobytes())
    frame.colorspace, frame.color_primaries, frame.color_range = BT2020, BT2020, 1
    frame.color_trc = transfer
    file = write(tmp_path / "v.mkv", "libx265", frame, {"x265-params": "lossless=1:log-level=none"})
    greys = next(open_clip(file).frames())[32, 8::16].astype(int)
    assert (greys.max(axis=1) - greys.min(axis=1)).max() <= 2, "grey stays grey"
    levels = greys.mean(axis=1)
    assert (np.diff(levels) > 3).all(), "what is lighter stays lighter"
    assert levels[0] < 4 and levels[-1] > 200
    if transfer == PQ:
        assert 120 < levels[NITS.index(203.0)] < 200


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True)])
def test_frames_are_upright(tmp_path: Path, degrees: int, flips: tuple[bool, bool]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    file = tmp_path / "v.mov"
    with av.open(file, "w") as container:
        stream = container.add_stream("png", rate=25)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "rgb24"
        stream.set_display_rotation(degrees, hflip=flips[0], vflip=flips[1])
        container.mux(stream.encode(VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    # FFmpeg's words: turned against the clock, then mirrored.
    upright = np.rot90(picture, degrees // 90)
    upright = upright[:, ::-1] if flips[0] else upright
    upright = upright[::-1] if flips[1] else upright
    clip = open_clip(file)
    assert clip.size == upright.shape[:2]
    np.testing.assert_array_equal(next(clip.frames()), upright)
