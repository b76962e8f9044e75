"""Protects what a frame's number means: the same frame in every container, wherever one begins.

Each made clip bears its numbers in its pixels, so that a frame that is another is seen at once.
"""

from __future__ import annotations

import random
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import vostool as package
from tests.conftest import Vostool
from tests.video.footage import KINDS, TRIMMED, UNEVEN, Kind, number_of, write_clip
from vostool.backbones import DEFAULT
from vostool.clips import open_clip
from vostool.video import VideoIndex, index_video, read_frames, seeking

SEEKS = 20
"""Tries a clip: with all kinds of clips some hundreds."""
BEGINS = {"trimmed.mp4": TRIMMED, "broadcast.ts": 8}
"""Of clips whose first frame is not the first that was coded: which it is."""


def numbers(index: VideoIndex, start: int, stop: int) -> list[int]:
    return [number_of(frame) for frame in read_frames(index, start, stop)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_frame_is_there_and_every_seek_is_right(footage: Path, kind: Kind) -> None:
    index = index_video(footage / kind.name)
    begin, frames = BEGINS.get(kind.name, 0), len(index.ticks)
    assert begin + frames == (60 if kind.made_of else kind.frames)
    assert index.size == kind.size
    assert not index.cut_off
    assert numbers(index, 0, frames) == list(range(begin, begin + frames))
    draw = random.Random(kind.name)
    for _ in range(SEEKS):
        start = draw.randrange(frames)
        stop = min(frames, start + draw.randint(1, 4))
        assert numbers(index, start, stop) == list(range(begin + start, begin + stop))


@pytest.mark.parametrize("name", ["refreshed.mp4", "open.ts", "hevc.ts", "browser.webm"])
def test_what_is_sought_is_equal_pixel_by_pixel(footage: Path, name: str) -> None:
    index = index_video(footage / name)
    every = list(read_frames(index, 0, len(index.ticks)))
    for start in range(3, 60, 7):
        np.testing.assert_array_equal(next(read_frames(index, start, start + 1)), every[start])


@pytest.mark.parametrize("name", ["plain.mp4", "transport.ts", "uneven.mkv", "dvd.mpg"])
def test_where_seeking_leads_past_the_place_packets_are_counted(
    footage: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_video(footage / name)
    monkeypatch.setattr(seeking, "_sought", lambda *_: None)
    assert numbers(index, 40, 44) == [40, 41, 42, 43]


def test_seeking_does_not_decode_what_comes_before(
    footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else ``--frames 100000:`` would take as long as what it leaves out."""
    index, decoded = index_video(footage / "plain.mkv"), 0
    decode_from = seeking.decode_from

    def counted(*arguments: object, **options: object) -> object:
        nonlocal decoded
        for item in decode_from(*arguments, **options):  # type: ignore[arg-type]
            decoded += 1
            yield item

    monkeypatch.setattr("vostool.video.decoding.decode_from", counted)
    assert numbers(index, 58, 59) == [58]
    assert decoded <= 12


def test_keyframes_that_are_none_are_found_out(tmp_path: Path) -> None:
    """Some muxers call every packet a keyframe: what was decoded from there would be wrong."""
    kind = Kind("true.mov", "msmpeg4v3", options={"g": "12"})  # a codec that FFmpeg does not parse
    file = tmp_path / "lies.mov"
    with av.open(write_clip(tmp_path / kind.name, kind)) as old, av.open(file, "w") as new:
        copied = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.size:
                packet.is_keyframe, packet.stream = True, copied
                new.mux(packet)
    index = index_video(file)
    assert len(index.keyframes) == 60
    for start in (7, 23, 58):
        assert numbers(index, start, start + 2) == [start, start + 1]


def test_a_header_that_overstates_is_not_believed(footage: Path) -> None:
    """OpenCV read 52 and 64 frames from these heads, and called the clips broken off."""
    for name in ("trimmed.mp4", "broadcast.ts", "uneven.mkv"):
        clip = open_clip(footage / name)
        assert len(list(clip.frames())) == clip.expected_frames


@pytest.mark.parametrize("name", ["uneven.mkv", "uneven.mp4"])
def test_times_of_a_variable_rate_are_kept(footage: Path, name: str) -> None:
    clip = open_clip(footage / name, frames=(5, 50))
    shown = [(time - UNEVEN[5]) / 1000 for time in UNEVEN[5:50]]
    assert clip.times == pytest.approx(shown, abs=0.001)
    assert clip.fps == pytest.approx(59000 / (UNEVEN[-1] - UNEVEN[0]), rel=0.01)


@pytest.mark.parametrize("name", ["uneven.mkv", "trimmed.mp4", "broadcast.ts", "phone.mp4"])
def test_frames_of_the_command_line_are_those_frames(
    footage: Path, name: str, tmp_path: Path, vostool: Vostool
) -> None:
    """``extract --frames 23:26`` makes the features of the frames 23 to 25, decoded in order."""
    index = index_video(footage / name)
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, frame in enumerate(read_frames(index, 0, len(index.ticks))):
        Image.fromarray(frame).save(folder / f"{number}.png")
    features = []
    for source in (footage / name, folder):
        done = vostool("extract", source, "--frames", "23:26", "--name", source.stem)
        assert done.status == 0, done.err
        stage = (
            package.FeatureStore(tmp_path / "store").clip(source.stem).stage(DEFAULT, "backbone")
        )
        assert stage.frames == 3
        features.append(stage.read(0, 3))
    for ours, theirs in zip(*features, strict=True):
        np.testing.assert_array_equal(ours, theirs)
