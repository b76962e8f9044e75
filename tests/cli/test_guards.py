"""Files of the user's are never written over or removed, whatever a command is told."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.conftest import Done, Vostool

pytestmark = pytest.mark.usefixtures("square_adapter")
"""The square's features are stored, and its adapter is a.h5."""

RENDER = ("render", "--adapter", "a.h5")


def refused(done: Done, word: str) -> None:
    assert done.status in (1, 2) and len(done.errors) == 1, done
    assert word in done.errors[0], done.errors[0]


@pytest.mark.parametrize("where", ["../../precious", "{}/precious", "../other.zarr"])
def test_removal_stays_in_the_store(vostool: Vostool, tmp_path: Path, where: str) -> None:
    precious = tmp_path / "precious"
    other = tmp_path / "store" / "other.zarr"
    for folder in (precious, other):
        folder.mkdir()
        (folder / "thesis.txt").write_text("mine")
    done = vostool("store", "rm", "square", "--backbone", where.format(tmp_path))
    refused(done, "not in")
    assert (precious / "thesis.txt").exists() and (other / "thesis.txt").exists()
    assert vostool("store", "rm", "square", "--backbone", "efficientnet-lite0").status == 0


def test_masks_do_not_go_over_the_clips_frames(vostool: Vostool, square_clip: Path) -> None:
    before = {file.name: file.read_bytes() for file in square_clip.iterdir()}
    for out in (square_clip, square_clip / "masks", square_clip.parent):
        refused(vostool(*RENDER, "--out", out, "--force"), "name another place")
    (square_clip.parent / "link").symlink_to(square_clip)
    refused(vostool(*RENDER, "--out", "link"), "reads it")
    assert {file.name: file.read_bytes() for file in square_clip.iterdir()} == before


def test_an_overlay_does_not_replace_a_film(vostool: Vostool, tmp_path: Path) -> None:
    (tmp_path / "my.mp4").write_bytes(b"a film")
    words = (*RENDER, "--out", "m", "--overlay", "my.mp4")
    refused(vostool(*words), "vostool did not make it")
    assert (tmp_path / "my.mp4").read_bytes() == b"a film" and not (tmp_path / "m").exists()
    refused(vostool(*RENDER, "--out", "m", "--overlay", "m/look.mp4"), "lies in m")
    assert vostool(*words, "--force").status == 0
    assert vostool(*words).status == 0, "it is vostool's own now"


def test_an_adapter_does_not_replace_scribbles(
    vostool: Vostool, square_scribbles: Path, tmp_path: Path
) -> None:
    before = square_scribbles.read_bytes()
    words = ("adapt", "square", "--scribbles", square_scribbles, "--out")
    refused(vostool(*words, square_scribbles), "reads it")
    (tmp_path / "notes.h5").write_text("mine")
    refused(vostool(*words, "notes.h5"), "vostool did not make it")
    assert square_scribbles.read_bytes() == before
    assert (tmp_path / "notes.h5").read_text() == "mine"
    assert vostool(*words, os.devnull).status == 0
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode), "a device stays one"


def test_a_folder_of_masks_holds_what_the_run_made(vostool: Vostool, tmp_path: Path) -> None:
    assert vostool(*RENDER, "--out", "m", "--refine", "--refiner-weights", "random").status == 0
    (tmp_path / "m" / ".refined" / "notes.txt").write_text("mine")
    (tmp_path / "m" / "00099.png").write_bytes(b"stale")
    refused(vostool(*RENDER, "--out", "m"), "00099.png")
    (tmp_path / "m" / "00099.png").unlink()
    assert vostool(*RENDER, "--out", "m", "--refine", "--refiner-weights", "random").status == 0
    assert (tmp_path / "m" / ".refined" / "notes.txt").read_text() == "mine"


def test_scribbles_of_another_sequence_are_told(
    vostool: Vostool, square_scribbles: Path, tmp_path: Path
) -> None:
    document = json.loads(square_scribbles.read_text()) | {"sequence": "bear"}
    (tmp_path / "bear.json").write_text(json.dumps(document))
    words = ("adapt", "square", "--scribbles", "bear.json", "--out", "b.h5")
    refused(vostool(*words), "--any-clip")
    assert vostool(*words, "--any-clip").status == 0


def test_a_name_that_another_clip_has_is_not_taken(
    vostool: Vostool, square_clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "b").mkdir()
    other = tmp_path / "b" / "square"
    other.mkdir()
    for file in sorted(square_clip.iterdir())[:3]:
        (other / file.name).write_bytes(file.read_bytes())
    refused(vostool("extract", other), "--name b-square")
    assert vostool("extract", other, "--name", "b-square").status == 0


def test_frames_that_changed_are_not_shown_under_masks(
    vostool: Vostool, square_clip: Path, tmp_path: Path
) -> None:
    first, second = sorted(square_clip.iterdir())[:2]
    first.write_bytes(second.read_bytes())
    refused(vostool(*RENDER, "--out", "m", "--overlay", "o.mp4"), "other frames")
    assert not (tmp_path / "m").exists()
