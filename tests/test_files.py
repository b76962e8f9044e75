"""Outputs appear in one step: the old file stays until the new one is whole."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from vostool.errors import OutputError
from vostool.files import (
    WORKSPACE,
    exchange,
    parse_json,
    replacing,
    replacing_folder,
    sweep,
    unwritable,
    workspace,
)


def test_a_file_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    with replacing(file) as tmp:
        tmp.write_text("new")
        assert tmp.suffix == ".txt" and tmp.parent.parent == tmp_path
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


def test_a_folder_is_replaced_when_the_new_one_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "masks"
    with replacing_folder(folder) as made:
        (made / "1.png").write_text("1")
        assert not folder.exists()
    assert [file.name for file in folder.iterdir()] == ["1.png"]
    (folder / "kept").mkdir()
    with replacing_folder(folder, keeps=["kept", "nothing"]) as made:
        (made / "2.png").write_text("2")
        assert (folder / "1.png").exists()
    assert sorted(file.name for file in folder.iterdir()) == ["2.png", "kept"]
    with pytest.raises(RuntimeError), replacing_folder(folder) as made:
        (made / "3.png").write_text("3")
        raise RuntimeError
    assert sorted(file.name for file in folder.iterdir()) == ["2.png", "kept"]
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["masks"]


def test_two_runs_do_not_make_one_folder(tmp_path: Path) -> None:
    with (
        replacing_folder(tmp_path / "masks"),
        pytest.raises(OutputError, match="another run writes it"),
        replacing_folder(tmp_path / "masks"),
    ):
        pytest.fail("two runs in one place")


def test_what_killed_runs_left_is_swept_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    (tmp_path / f"{WORKSPACE}dead").mkdir()
    (tmp_path / f"{WORKSPACE}dead" / "lock").touch()
    (tmp_path / f"{WORKSPACE}new").mkdir()  # by a run that has not locked it yet
    with workspace(tmp_path) as mine:
        sweep(tmp_path)
        assert mine.is_dir()
    assert [entry.name for entry in tmp_path.iterdir()] == [f"{WORKSPACE}new"]


def test_the_error_names_the_place_and_the_reason(tmp_path: Path) -> None:
    problem = unwritable(tmp_path, OSError(errno.ENOSPC, "No space left on device"))
    assert isinstance(problem, OutputError)
    assert str(problem).startswith(f"{tmp_path}: cannot be written (No space left on device)")
    assert "one line" in str(unwritable(tmp_path, OSError("one line\nanother")))


@pytest.mark.parametrize("in_one_step", [True, False])
def test_folders_are_swapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_one_step: bool
) -> None:
    if not in_one_step:
        monkeypatch.setattr("vostool.files.sys.platform", "other")
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    exchange(tmp_path / "a", tmp_path / "b")
    assert sorted(str(f.relative_to(tmp_path)) for f in tmp_path.glob("*/*")) == ["a/b", "b/a"]


@pytest.mark.parametrize(
    "text", ["2E31223", "[-1e999]", '{"frames": Infinity}', "[" * 100_000, "", "{", "nul"]
)
def test_a_damaged_document_is_a_value_error(text: str) -> None:
    """One kind of error, whatever a flipped bit made of it; found by flips of a digit to an E."""
    with pytest.raises(ValueError):
        parse_json(text)


def test_a_whole_document_is_read_as_python_reads_it() -> None:
    text = '{"a": [1, 2.5, -3e5, null, true, "x"], "b": {"c": 123456789012345678901234567890}}'
    assert parse_json(text) == json.loads(text)
