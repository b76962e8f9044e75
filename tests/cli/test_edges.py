"""Odd but sensible calls work, and failing ones leave nothing half-made beside what was there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Done, Vostool
from vostool.outputs import LISTING


@pytest.fixture
def adapted(vostool: Vostool, square_adapter: Path) -> Vostool:
    """The command line, with the square extracted and ``a.h5`` fitted to its scribbles."""
    assert square_adapter.name == "a.h5"
    return vostool


def one_line(done: Done, *words: str) -> None:
    assert done.status in (1, 2), done
    assert len(done.errors) == 1 and done.err.count("\n") == 1, done.err
    for word in words:
        assert word in done.err, done.err


def entries(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_render_here(adapted: Vostool, tmp_path: Path) -> None:
    """The folder would be replaced, with all that is in it."""
    before = entries(tmp_path)
    one_line(adapted("render", "square", "--adapter", "a.h5", "--out", "."), "holds a.h5")
    assert entries(tmp_path) == before


def test_render_into_a_new_folder_of_folders(adapted: Vostool, tmp_path: Path) -> None:
    assert adapted("render", "square", "--adapter", "a.h5", "--out", "x/y/m/").status == 0
    assert len(entries(tmp_path / "x" / "y" / "m") - {LISTING}) == 12
    assert entries(tmp_path / "x" / "y") == {"m"}


def test_render_over_earlier_masks_replaces_them(adapted: Vostool, tmp_path: Path) -> None:
    words = ("render", "square", "--adapter", "a.h5", "--out", "m")
    assert adapted(*words).status == 0
    (tmp_path / "m" / "00003.png").write_text("an earlier mask")
    assert adapted(*words).status == 0
    assert (tmp_path / "m" / "00003.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "m" / "notes.txt").write_text("mine")
    one_line(adapted(*words), "holds notes.txt")
    assert (tmp_path / "m" / "notes.txt").read_text() == "mine"
    assert adapted(*words, "--force").status == 0
    assert entries(tmp_path / "m") == {LISTING, *(f"{t:05d}.png" for t in range(12))}


@pytest.mark.parametrize("change", ["a frame less", "another size", "a corrupt frame"])
def test_an_overlay_over_a_clip_that_has_changed(
    adapted: Vostool, square_clip: Path, tmp_path: Path, change: str
) -> None:
    frames = sorted(square_clip.iterdir())
    if change == "a frame less":
        frames[-1].unlink()
    elif change == "a corrupt frame":
        frames[5].write_bytes(frames[5].read_bytes()[:300])
    else:
        for frame in frames:
            Image.new("RGB", (40, 30)).save(frame)
    before = entries(tmp_path)
    done = adapted("render", "square", "--adapter", "a.h5", "--out", "x/m", "--overlay", "o.mp4")
    one_line(done, "square")
    assert entries(tmp_path) == before


def test_an_overlay_in_a_folder_that_is_not_there(adapted: Vostool, tmp_path: Path) -> None:
    before = entries(tmp_path)
    done = adapted("render", "square", "--adapter", "a.h5", "--out", "m", "--overlay", "no/o.mp4")
    assert done.status == 1 and len(done.errors) == 1 and "no/o.mp4" in done.errors[0]
    assert entries(tmp_path) == before


def test_a_full_disk_leaves_no_masks(adapted: Vostool, tmp_path: Path) -> None:
    """A limit on file sizes stands in for the disk."""
    before = entries(tmp_path)
    program = (
        "import resource, signal, sys;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100));"
        "from vostool.cli import run; run()"
    )
    words = ["render", "square", "--adapter", "a.h5", "--out", "m"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: m: cannot be written"), done.stderr
    assert entries(tmp_path) == before


def test_adapt_to_a_place_that_is_a_folder(
    adapted: Vostool, square_scribbles: Path, tmp_path: Path
) -> None:
    for out in (".", "store"):
        done = adapted("adapt", "square", "--scribbles", square_scribbles, "--out", out)
        one_line(done, f"{out}: ")


def test_a_round_that_fails_leaves_the_earlier_adapter(adapted: Vostool, tmp_path: Path) -> None:
    before = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "bad.json").write_text("{}")
    words = ("adapt", "square", "--scribbles", "bad.json", "--from", "a.h5", "--out", "a.h5")
    one_line(adapted(*words), "bad.json")
    assert (tmp_path / "a.h5").read_bytes() == before


def test_a_round_may_replace_the_adapter_it_goes_on_from(
    adapted: Vostool, square_scribbles: Path
) -> None:
    words = ("adapt", "square", "--scribbles", square_scribbles, "--from", "a.h5", "--out", "a.h5")
    assert json.loads(adapted(*words, "--json").out)["rounds"] == 2


def test_only_background_strokes_name_the_file(adapted: Vostool, tmp_path: Path) -> None:
    stroke = {"path": [[0.1, 0.1], [0.9, 0.1]], "object_id": 0}
    (tmp_path / "ground.json").write_text(json.dumps({"scribbles": [[stroke]]}))
    done = adapted("adapt", "square", "--scribbles", "ground.json", "--out", "b.h5")
    one_line(done, "ground.json", "no object")
    assert not (tmp_path / "b.h5").exists()


def test_an_adapter_of_another_clip_goes_on_nowhere(
    adapted: Vostool, square_scribbles: Path, square_clip: Path, tmp_path: Path
) -> None:
    assert adapted("extract", square_clip, "--name", "low", "--height", "48").status == 0
    assert adapted("propagate", "low").status == 0
    words = ("adapt", "low", "--scribbles", square_scribbles, "--from", "a.h5", "--out", "b.h5")
    one_line(adapted(*words), "network height 480 is now 48")
    assert not (tmp_path / "b.h5").exists()


def test_all_clips_that_fail_are_an_error(vostool: Vostool, tmp_path: Path) -> None:
    done = vostool("extract", "-", stdin="no1\n\nno2\n")
    assert done.status == 1 and done.out == ""
    assert "no1" in done.err and "no2" in done.err and "all 2 clips failed" in done.err


def test_nothing_on_standard_input_is_nothing_to_do(vostool: Vostool) -> None:
    done = vostool("propagate", "-", stdin="")
    assert (done.status, done.out, done.err) == (0, "", "")


def test_wrong_usage_exits_with_2(vostool: Vostool) -> None:
    for words in ([], ["nosuch"], ["extract"], ["adapt", "x"], ["render", "x", "--nosuch"]):
        done = vostool(*words)
        assert done.status == 2, words
        assert "Traceback" not in done.err
