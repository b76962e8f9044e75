"""Nothing of the user's is written over: what is read, and what vostool did not make."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vostool.errors import OutputError
from vostool.outputs import (
    LISTING,
    check_apart,
    check_folder_replaceable,
    check_replaceable,
    is_our_video,
    list_files,
    mark_video,
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a clip in it, and another name for it."""
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "00000.png").write_bytes(b"frame")
    (tmp_path / "link").symlink_to(tmp_path / "clip")
    os.link(tmp_path / "clip" / "00000.png", tmp_path / "hard.png")
    return tmp_path


@pytest.mark.parametrize(
    ("output", "read", "word"),
    [
        ("clip", "clip", "reads it"),
        ("link", "clip", "reads it"),
        ("clip", "link", "reads it"),
        ("hard.png", "clip/00000.png", "reads it"),
        ("./clip/../clip", "clip", "reads it"),
        ("clip/masks", "clip", "lies in"),
        ("link/masks/deep", "clip", "lies in"),
        (".", "clip", "holds"),
        ("clip", "clip/00000.png", "holds"),
    ],
)
def test_an_output_is_apart_from_what_is_read(
    place: Path, output: str, read: str, word: str
) -> None:
    with pytest.raises(OutputError, match=word):
        check_apart(place / output, [place / read])


@pytest.mark.parametrize("output", ["masks", "clip2", "clip.h5", "deep/clip"])
def test_an_output_beside_what_is_read_is_taken(place: Path, output: str) -> None:
    check_apart(place / output, [place / "clip", place / "hard.png"])


def test_a_file_that_vostool_did_not_make_stays(tmp_path: Path) -> None:
    file = tmp_path / "look.mp4"
    check_replaceable(file, is_our_video)
    file.write_bytes(b"a film of the user's")
    with pytest.raises(OutputError, match="vostool did not make it"):
        check_replaceable(file, is_our_video)
    mark_video(file)
    check_replaceable(file, is_our_video)
    check_replaceable(Path(os.devnull), is_our_video)


def test_a_folder_is_ours_as_long_as_nothing_is_added(tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    check_folder_replaceable(folder)
    folder.mkdir()
    check_folder_replaceable(folder)
    (folder / "00000.png").write_bytes(b"mask")
    with pytest.raises(OutputError, match=r"00000\.png"):
        check_folder_replaceable(folder)
    list_files(folder)
    check_folder_replaceable(folder)
    (folder / ".refined").mkdir()
    check_folder_replaceable(folder, besides=[".refined"])
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        check_folder_replaceable(folder, besides=[".refined"])
    with pytest.raises(OutputError, match="no folder"):
        check_folder_replaceable(folder / "notes.txt")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"made_by": "another", "files": ["a"]}'])
def test_a_list_that_is_not_ours_lists_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / LISTING).write_text(content)
    (tmp_path / "a").write_text("mine")
    with pytest.raises(OutputError):
        check_folder_replaceable(tmp_path)
