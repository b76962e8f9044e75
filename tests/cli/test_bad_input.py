"""Bad input: one clear line that names the thing, the right exit status, nothing half-written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Done, Vostool, moving_square
from vostool.adapter import Adapter


def refused(done: Done, *words: str) -> None:
    assert done.status in (1, 2), done
    assert len(done.errors) == 1 and done.out == "" and "Traceback" not in done.err, done
    for word in words:
        assert word in done.errors[0], done.errors[0]


def test_no_such_clip(vostool: Vostool, tmp_path: Path) -> None:
    refused(vostool("extract", "nowhere"), "nowhere", "no such clip")
    assert not (tmp_path / "store").exists()


def test_empty_folder(vostool: Vostool, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(vostool("extract", "empty"), "empty", "no JPEG, PNG")


def test_frames_of_different_sizes(vostool: Vostool, square_clip: Path) -> None:
    Image.new("RGB", (50, 40)).save(square_clip / "00009.png")
    refused(vostool("extract", square_clip), "00009.png", "50x40", "128x96")
    assert vostool("store", "verify").out == ""


def test_a_corrupt_frame_in_the_middle(vostool: Vostool, square_clip: Path) -> None:
    frame = square_clip / "00006.png"
    frame.write_bytes(frame.read_bytes()[:500])
    refused(vostool("extract", square_clip), "00006.png")
    assert vostool("store", "verify").out == ""


def test_a_video_that_does_not_open(vostool: Vostool, tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"no video" * 100)
    refused(vostool("extract", "v.mp4"), "v.mp4")


def test_a_video_cut_short(vostool: Vostool, tmp_path: Path, bikes: Path) -> None:
    whole = bikes.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    refused(vostool("extract", "cut.mp4", "--frames", "0:250"), "cut.mp4")


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden"])
def test_a_name_that_leaves_the_store(vostool: Vostool, square_clip: Path, name: str) -> None:
    refused(vostool("extract", square_clip, "--name", name), name, "--name")


@pytest.mark.parametrize("frames", ["5", "7:3", "a:b", "-2:4"])
def test_a_range_that_is_none(vostool: Vostool, square_clip: Path, frames: str) -> None:
    assert vostool("extract", square_clip, f"--frames={frames}").status == 2


def test_a_range_beyond_the_clip(vostool: Vostool, square_clip: Path) -> None:
    refused(vostool("extract", square_clip, "--frames", "90:99"), "12 frames")


def test_two_clips_of_one_name(vostool: Vostool, square_clip: Path, tmp_path: Path) -> None:
    twin = moving_square(tmp_path / "other" / "square")
    done = vostool("extract", square_clip, twin)
    assert done.status == 2 and "--name" in done.err and done.out == ""


def test_some_clips_of_many(vostool: Vostool, square_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    second = moving_square(tmp_path / "second", 3)
    done = vostool("extract", square_clip, "empty", second)
    assert done.status == 3
    assert done.out == "square\nsecond\n"
    assert "1 of 3 clips failed: empty" in done.err


STROKE = {"path": [[0.2, 0.5], [0.4, 0.5]], "object_id": 1}


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ("not json {", "not a JSON file"),
        ([], "scribbles"),
        ({"strokes": []}, "scribbles"),
        ({"scribbles": [[{"path": [[0.5, 1.2]], "object_id": 1}]]}, "not in 0..1"),
        ({"scribbles": [[{"path": [[0.5, float("nan")]], "object_id": 1}]]}, "not in 0..1"),
        ({"scribbles": [[{**STROKE, "object_id": -1}]]}, "object id -1"),
        ({"scribbles": [[{**STROKE, "object_id": 256}]]}, "object id 256"),
        ({"scribbles": [[], []]}, "no stroke"),
        ({"scribbles": [[STROKE], *[[] for _ in range(40)]]}, "41 frames, the clip has 12"),
        ({"scribbles": [[{**STROKE, "object_id": 0}]]}, "no object"),
    ],
)
@pytest.mark.usefixtures("square_store")
def test_scribbles(vostool: Vostool, tmp_path: Path, document: Any, word: str) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    (tmp_path / "s.json").write_text(text)
    done = vostool("adapt", "square", "--scribbles", "s.json", "--out", "a.h5")
    refused(done, word)
    assert not (tmp_path / "a.h5").exists()


@pytest.mark.usefixtures("square_store")
def test_scribbles_that_are_not_there(vostool: Vostool) -> None:
    refused(vostool("adapt", "square", "--scribbles", "no.json", "--out", "a.h5"), "no.json")


def test_a_missing_stage_names_its_command(vostool: Vostool, square_scribbles: Path) -> None:
    done = vostool("adapt", "square", "--scribbles", square_scribbles, "--out", "a.h5")
    refused(done, "vostool extract")
    refused(vostool("propagate", "square"), "vostool extract")


def test_context_that_was_not_propagated(
    vostool: Vostool, square_clip: Path, square_scribbles: Path
) -> None:
    vostool("extract", square_clip)
    for features in ("context", "both"):
        done = vostool(
            *("adapt", "square", "--scribbles", square_scribbles),
            *("--features", features, "--out", "a.h5"),
        )
        refused(done, "vostool propagate square")


@pytest.mark.usefixtures("square_adapter")
def test_adapters_of_something_else(vostool: Vostool, tmp_path: Path) -> None:
    adapter = Adapter.read(tmp_path / "a.h5")
    networks = {**adapter.provenance.networks, "backbone": "resnet"}
    other = replace(adapter.provenance, networks=networks)
    (square,) = adapter.clips
    elsewhere = replace(square, name="other", features_key="x")
    replace(adapter, clips=(elsewhere,), provenance=other).write(tmp_path / "a.h5")
    refused(vostool("render", "square", "--adapter", "a.h5", "--out", "m"), "resnet")
    (tmp_path / "a.h5").write_bytes(np.random.default_rng(0).bytes(999))
    refused(vostool("render", "square", "--adapter", "a.h5", "--out", "m"), "a.h5")
    assert not (tmp_path / "m").exists()


@pytest.mark.usefixtures("square_adapter")
def test_an_overlay_of_a_clip_that_is_gone(
    vostool: Vostool, square_clip: Path, tmp_path: Path
) -> None:
    square_clip.rename(tmp_path / "moved")
    done = vostool("render", "square", "--adapter", "a.h5", "--out", "m", "--overlay", "o.mp4")
    refused(done, "vostool extract")
    assert not (tmp_path / "m").exists()
    assert vostool("render", "square", "--adapter", "a.h5", "--out", "m").status == 0


def test_a_store_that_cannot_be(vostool: Vostool, square_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = vostool("extract", square_clip, "--store", "file")
    assert done.status in (1, 2) and "file" in done.err and "Traceback" not in done.err
