"""Protects from files beside the frames, and from what is no clip."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import moving_square
from vostool.clips import open_clip
from vostool.errors import ClipError
from vostool.training.data import open_photos


def test_hidden_files_are_no_frames(tmp_path: Path) -> None:
    folder = moving_square(tmp_path / "square", 3)
    before = open_clip(folder).fingerprint
    (folder / "._00001.png").write_bytes(b"\0\5\26\7 Mac OS X")
    (folder / ".hidden.jpg").write_bytes(b"")
    clip = open_clip(folder)
    assert clip.expected_frames == 3 and len(list(clip.frames())) == 3
    assert clip.fingerprint == before


def test_hidden_files_are_no_photos(tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / part / "a.png")
        (tmp_path / part / "._a.png").write_bytes(b"\0\5\26\7")
    assert [photo.name for photo in open_photos(tmp_path)] == ["a"]


def test_neither_a_pipe_nor_a_device_is_a_clip(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    for path in (tmp_path / "pipe.mp4", "/dev/zero"):
        with pytest.raises(ClipError, match=f"{path}: a pipe or a device"):
            open_clip(path)
