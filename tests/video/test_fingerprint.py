"""Protects what is stored: another container is no other clip, and another frame is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Vostool
from tests.video.footage import Kind, numbered, remux, write_clip
from vostool.clips import open_clip


@pytest.mark.parametrize(
    ("name", "containers"),
    [
        ("plain.mp4", (".mkv", ".ts", ".mov", ".flv")),
        ("open.mp4", (".mkv", ".ts")),
        ("hevc.mp4", (".mkv", ".ts", ".mov")),
        ("ten-bits.mp4", (".mkv", ".ts")),
        ("old.avi", (".mp4", ".mkv", ".ts")),
        ("dvd.mpg", (".ts", ".mkv")),
        ("vp9.webm", (".mp4", ".mkv")),
        ("edit.mov", (".mkv",)),
        ("phone.mov", (".mp4",)),
    ],
)
def test_it_outlasts_every_container(
    footage: Path, tmp_path: Path, name: str, containers: tuple[str, ...]
) -> None:
    source = footage / name
    want = open_clip(source).fingerprint
    for number, suffix in enumerate(containers):
        other, back = tmp_path / f"{number}{suffix}", tmp_path / f"{number}-back{source.suffix}"
        remux(source, other)
        assert open_clip(other).fingerprint == want, suffix
        remux(other, back)
        assert open_clip(back).fingerprint == want, f"{suffix} and back"


def test_it_tells_of_frames_and_of_how_they_look(tmp_path: Path) -> None:
    def fingerprint(kind: Kind, *pictures: int) -> str:
        frames = [numbered(number, kind.size) for number in pictures]
        return open_clip(write_clip(tmp_path / kind.name, kind, frames)).fingerprint

    square = (96, 96)
    prints = {
        fingerprint(Kind("v.mp4", size=square), *range(9)),
        fingerprint(Kind("v.mp4", size=square), *range(8)),
        fingerprint(Kind("v.mp4", size=square), *range(8), 9),
        fingerprint(Kind("v.mp4", size=square), 1, 0, *range(2, 9)),
        fingerprint(Kind("v.mp4", size=square, rotation=180), *range(9)),
        fingerprint(Kind("v.mp4", "mpeg4", size=square), *range(9)),
    }  # fmt: skip
    assert len(prints) == 6


def test_it_does_not_hang_on_the_frames_times(tmp_path: Path) -> None:
    uneven = tuple(number * 40 + number % 3 for number in range(9))
    even = tuple(number * 40 for number in range(9))
    prints = {
        open_clip(write_clip(tmp_path / f"{times[1]}.mkv", kind)).fingerprint
        for times in (uneven, even)
        for kind in [Kind("v.mkv", "ffv1", "yuv420p", {}, frames=9, times=times)]
    }
    assert len(prints) == 1


def test_features_of_a_clip_in_another_container_are_not_made_again(
    footage: Path, tmp_path: Path, vostool: Vostool
) -> None:
    remux(footage / "plain.mp4", tmp_path / "plain.mkv")
    first = vostool("extract", footage / "plain.mp4", "--frames", "3:6", "--name", "p")
    (tmp_path / "before").write_text(first.out)
    again = vostool("extract", tmp_path / "plain.mkv", "--frames", "3:6", "--name", "q")
    assert first.status == again.status == 0
    done = vostool("extract", tmp_path / "plain.mkv", "--frames", "3:6", "--name", "p")
    assert "making" not in done.err


def test_a_frame_more_or_less_is_seen(tmp_path: Path) -> None:
    kind = Kind("v.mkv", "ffv1", "yuv420p", {}, frames=9)
    pictures = [numbered(number) for number in range(9)]
    one = open_clip(write_clip(tmp_path / "a.mkv", kind, pictures)).fingerprint
    pictures[4] = np.ascontiguousarray(pictures[4][::-1])
    assert open_clip(write_clip(tmp_path / "b.mkv", kind, pictures)).fingerprint != one
