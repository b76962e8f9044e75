"""Protects from scribbles that would be taken for others than a person drew."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from vostool import files
from vostool.errors import ScribbleError
from vostool.masks import davis_palette
from vostool.scribbles import Scribbles, Stroke, read_scribbles

SIZE = (48, 64)
LINE = np.array([[0.1, 0.2], [0.5, 0.5]])


def painted(folder: Path, pixels: npt.NDArray[np.uint8], name: str = "00003.png") -> Path:
    folder.mkdir(exist_ok=True)
    image = Image.fromarray(pixels)
    image.putpalette(davis_palette().tobytes())
    image.save(folder / name, "PNG")
    return folder


def drawing(canvas: int = 0) -> npt.NDArray[np.uint8]:
    pixels = np.full(SIZE, canvas, np.uint8)
    pixels[10, 5:40] = 1
    pixels[40, 5:40] = 255
    return pixels


@pytest.mark.parametrize("canvas", [3, 255])
def test_a_canvas_that_is_not_index_0_is_refused(tmp_path: Path, canvas: int) -> None:
    with pytest.raises(ScribbleError, match=rf"00003\.png: index {canvas} covers 9\d%.*index 0"):
        read_scribbles(painted(tmp_path / "p", drawing(canvas)))


def test_areas_of_half_a_frame_are_strokes(tmp_path: Path) -> None:
    halves = np.ones(SIZE, np.uint8)
    halves[: SIZE[0] // 2] = 255
    assert read_scribbles(painted(tmp_path / "p", halves)).object_ids == [1]


@pytest.mark.parametrize("name", ["00003.PNG", "3.Png"])
def test_the_suffix_is_taken_in_any_case(tmp_path: Path, name: str) -> None:
    assert read_scribbles(painted(tmp_path / "p", drawing(), name)).annotated_frames == [3]


def test_hidden_files_are_no_scribbles(tmp_path: Path) -> None:
    folder = painted(tmp_path / "p", drawing())
    (folder / "._00003.png").write_bytes(b"\0\5\26\7")
    assert read_scribbles(folder).annotated_frames == [3]


@pytest.mark.parametrize(
    "scribbles",
    [
        Scribbles("s", {0: [Stroke(70_000, LINE)]}, {}),
        Scribbles("s", {0: [Stroke(-1, LINE)]}, {}),
        Scribbles("s", {0: [Stroke(1.5, LINE)]}, {}),  # type: ignore[arg-type]
        Scribbles("s", {0: [Stroke(1, np.array([[np.nan, 0.5]]))]}, {}),
        Scribbles("s", {0: [Stroke(1, np.array([[0.5, 2.0]]))]}, {}),
        Scribbles("s", {0: [Stroke(1, [[0.5, 0.5]])]}, {}),  # type: ignore[arg-type]
        Scribbles("s", {0: [Stroke(1, np.array([["a", "b"]]))]}, {}),
        Scribbles("s", {-1: [Stroke(1, LINE)]}, {}),
        Scribbles("s", {}, {-1: np.zeros(SIZE, np.int16)}),
        Scribbles("s", {}, {0: np.full(SIZE, 300, np.int16)}),
        Scribbles("s", {}, {0: np.full(SIZE, -2, np.int16)}),
        Scribbles("s", {}, {0: np.full(SIZE, np.nan)}),
    ],
)
def test_strokes_made_without_a_check_are_checked_against_the_clip(scribbles: Scribbles) -> None:
    with pytest.raises(ScribbleError, match="s: frame"):
        scribbles.check_against(12, SIZE)


def test_strokes_in_order_are_taken() -> None:
    drawn: dict[int, Any] = {1: np.full(SIZE, -1, np.int16)}
    Scribbles("s", {0: [Stroke(255, LINE)]}, drawn).check_against(12, SIZE)


def test_a_file_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST_TEXT", 1 << 20)
    monkeypatch.setattr(files.read_bounded, "__defaults__", (1 << 20,))
    with pytest.raises(ScribbleError, match=r"/dev/zero: cannot be read .larger than 1 MB"):
        read_scribbles("/dev/zero")


def test_a_pipe_is_read_and_one_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ScribbleError, match="pipe: not a JSON file"):
        read_scribbles(pipe)
    reading, writing = os.pipe()
    content = {"scribbles": [[{"path": LINE.tolist(), "object_id": 1}]]}
    writer = threading.Timer(0.2, lambda: os.write(writing, json.dumps(content).encode()))
    writer.start()
    threading.Timer(0.4, os.close, [writing]).start()
    assert read_scribbles(f"/dev/fd/{reading}").object_ids == [1]
    os.close(reading)
