"""Nothing is lost: what was acknowledged is there again, after a kill at any byte of the file."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Vostool
from vostool.errors import OutputError, ScribbleError
from vostool.page.folder import ACTIONS, Subject, open_folder

SUBJECT = Subject("bikes", "abc", 50, (272, 640))


def draw(id: str, frame: int = 3) -> dict[str, Any]:
    path = [[0.1, 0.2], [0.3, 0.4]]
    return {"do": "draw", "id": id, "frame": frame, "object_id": 1, "path": path}


ACTS = (draw("a"), draw("b", 9), {"do": "name", "object_id": 1, "name": "Größe"}, {"do": "undo"})


def fill(path: Path) -> list[list[tuple[str, ...]]]:
    """A session of some actions; the rounds' ids after each, from none on."""
    with open_folder(path, SUBJECT) as folder:
        rounds = [[one.ids for one in folder.document.rounds]]
        for action in ACTS:
            folder.act(action)
            rounds.append([one.ids for one in folder.document.rounds])
    return rounds


def test_a_session_stands_as_it_was(tmp_path: Path) -> None:
    fill(tmp_path / "s")
    with open_folder(tmp_path / "s", SUBJECT) as folder:
        document = folder.document
        assert [one.ids for one in document.rounds] == [("a",)]
        assert document.can_redo and document.names == {1: "Größe"}
        folder.act({"do": "redo"})
        assert folder.round_file(2).exists()
        folder.act({"do": "undo"})
        assert not folder.round_file(2).exists()


def test_a_file_that_is_cut_has_all_that_was_whole(tmp_path: Path) -> None:
    rounds = fill(tmp_path / "s")
    content = (tmp_path / "s" / ACTIONS).read_bytes()
    head = content.index(b"\n") + 1
    ends = [end for end in range(head, len(content)) if content[end - 1 : end] == b"\n"]
    near = {end + by for end in (*ends, len(content)) for by in (-1, 0)}
    for cut in sorted({cut for cut in near if cut >= head} | {*range(head, len(content), 29)}):
        shutil.rmtree(tmp_path / "cut", ignore_errors=True)
        (tmp_path / "cut").mkdir()
        (tmp_path / "cut" / ACTIONS).write_bytes(content[:cut])
        whole = content[:cut].count(b"\n") - 1
        with open_folder(tmp_path / "cut", SUBJECT) as folder:
            assert [one.ids for one in folder.document.rounds] == rounds[whole], cut
            folder.act(draw("z", 30))
        with open_folder(tmp_path / "cut", SUBJECT) as folder:
            assert folder.document.rounds[-1].ids == ("z",)


def test_what_cannot_be_written_was_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "s")
    with open_folder(tmp_path / "s", SUBJECT) as folder:
        before = (tmp_path / "s" / ACTIONS).read_bytes()

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch, pytest.raises(OutputError, match="No space left"):
            patch.setattr("os.fsync", full)
            folder.act(draw("c"))
        assert [one.ids for one in folder.document.rounds] == [("a",)]
        assert (tmp_path / "s" / ACTIONS).read_bytes() == before
        folder.act(draw("c"))
        assert folder.document.rounds[0].ids == ("a", "c")


def test_one_server_at_a_time(tmp_path: Path) -> None:
    with (
        open_folder(tmp_path / "s", SUBJECT),
        pytest.raises(OutputError, match="another vostool scribble has it open"),
        open_folder(tmp_path / "s", SUBJECT),
    ):
        pass


def test_a_folder_that_is_not_ours_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with (
        pytest.raises(OutputError, match="name another folder with --session"),
        open_folder(tmp_path, SUBJECT),
    ):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


def test_other_frames_have_another_session(tmp_path: Path) -> None:
    fill(tmp_path / "s")
    other = Subject("bikes", "def", 50, (272, 640))
    with pytest.raises(ScribbleError, match="other frames"), open_folder(tmp_path / "s", other):
        pass


@pytest.mark.parametrize("line", ["nonsense", '{"do": "undo"}\n{"do": "undo"}', '{"do": 3}'])
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    fill(tmp_path / "s")
    with (tmp_path / "s" / ACTIONS).open("a") as stream:
        stream.write(line + "\n")
    with (
        pytest.raises(ScribbleError, match=r"line \d+ is broken"),
        open_folder(tmp_path / "s", SUBJECT),
    ):
        pass


def test_the_command_says_what_is_missing(vostool: Vostool, square_clip: Path) -> None:
    (square_clip.parent / "square.scribbles").mkdir()
    (square_clip.parent / "square.scribbles" / "mine.txt").write_text("mine")
    done = vostool("scribble", square_clip, "--no-browser")
    assert done.status == 1 and "name another folder with --session" in done.errors[0]
    assert vostool("scribble", "nowhere.mp4").errors[0].startswith("Error: nowhere.mp4: no such")


def test_without_the_extra_one_line_says_so(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "sys.argv = ['vostool', 'scribble', 'bikes.mp4']\n"
        "from vostool.cli import run\n"
        "run()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "pip install 'vostool[page]'" in done.stderr


def test_rounds_are_what_adapt_takes(
    tmp_path: Path, vostool: Vostool, square_adapter: Path
) -> None:
    with open_folder(tmp_path / "s", Subject("square", "abc", 12, (96, 128))) as folder:
        for number, object_id in enumerate((1, 0)):
            line = [[0.2 + 0.5 * number, 0.3], [0.4 + 0.5 * number, 0.6]]
            folder.act({**draw(str(number), 2), "object_id": object_id, "path": line})
        file = folder.round_file(1)
        assert json.loads(file.read_text())["sequence"] == "square"
    assert vostool("adapt", "square", "--scribbles", file, "--out", "b.h5").status == 0
