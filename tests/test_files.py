"""Outputs appear in one step: the old file stays until the new one is whole."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from vostool.errors import OutputError
from vostool.files import filling, replacing, unwritable


def test_a_file_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    with replacing(file) as tmp:
        tmp.write_text("new")
        assert tmp.suffix == ".txt" and tmp.parent == tmp_path
        assert file.read_text() == "old"
    assert file.read_text() == "new" and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_beside(
    tmp_path: Path, problem: type[BaseException]
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    with pytest.raises(problem), replacing(file, ".other") as tmp:
        tmp.write_text("half")
        assert tmp.suffix == ".other"
        raise problem
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]


def test_a_folder_is_filled_when_all_files_are_whole(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "masks"
    with filling(folder) as tmp:
        (tmp / "1.png").write_text("1")
        assert not folder.exists()
    assert [file.name for file in folder.iterdir()] == ["1.png"]
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(RuntimeError), filling(folder) as tmp:
        (tmp / "1.png").write_text("2")
        raise RuntimeError
    assert (folder / "1.png").read_text() == "1" and (folder / "notes.txt").read_text() == "mine"
    assert sorted(file.name for file in folder.iterdir()) == ["1.png", "notes.txt"]


def test_the_error_names_the_place_and_the_reason(tmp_path: Path) -> None:
    problem = unwritable(tmp_path, OSError(errno.ENOSPC, "No space left on device"))
    assert isinstance(problem, OutputError)
    assert str(problem).startswith(f"{tmp_path}: cannot be written (No space left on device)")
    assert "one line" in str(unwritable(tmp_path, OSError("one line\nanother")))
