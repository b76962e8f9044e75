"""A session goes on as it was begun: the same strokes under another preset are other masks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Vostool
from tests.page.conftest import Server
from tests.page.test_folder import SUBJECT, draw
from tests.page.test_server import STROKES, Listener
from vostool.errors import OutputError
from vostool.page.folder import open_folder
from vostool.page.settings import SETTINGS, keep, settle

PAPER = {"preset": "paper", "features": "backbone"}


def test_what_was_asked_for_holds_from_the_first_stroke_on(tmp_path: Path) -> None:
    assert settle(tmp_path / "s", {"seed": 1}) == {"seed": 1}
    with open_folder(tmp_path / "s", SUBJECT) as folder:
        keep(folder.path, {"seed": 1})
        assert settle(folder.path, {"seed": 2}) == {"seed": 2}, "nothing is drawn yet"
        folder.act(draw("a"))
        assert settle(folder.path, {}) == settle(folder.path, {"seed": 1}) == {"seed": 1}
        with pytest.raises(OutputError, match="was begun with --seed 1; leave it so"):
            settle(folder.path, {"seed": 2})
        with pytest.raises(OutputError, match="was begun with --height left out"):
            settle(folder.path, {"network_height": 320})


@pytest.mark.parametrize("content", ["nonsense", "[1, 2]", ""])
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    with open_folder(tmp_path / "s", SUBJECT) as folder:
        folder.act(draw("a"))
        (folder.path / SETTINGS).write_text(content)
        with pytest.raises(OutputError, match=SETTINGS):
            settle(folder.path, {})


def test_a_server_that_is_started_again_answers_as_before(store: Path, vostool: Vostool) -> None:
    """`--preset paper` once is enough, and asking for another is refused."""
    server = Server(store, "--preset", "paper", "--features", "backbone")
    tab = Listener(server.url)
    tab.hear_until(type="ready")
    for stroke in STROKES:
        tab.say({**stroke, "frame": 2})
    tab.hear_masks(2, 9)
    before = tab.maps
    server.stop()
    assert json.loads((server.folder / SETTINGS).read_text()) == PAPER
    refused = vostool("scribble", "bikes", "--preset", "default", "--no-browser")
    assert refused.status == 1 and "was begun with --preset paper" in refused.errors[0]
    again = Server(store)
    tab = Listener(again.url)
    tab.hear_masks(2, 9)
    again.kill()
    assert all((tab.maps[key] == mask).all() for key, mask in before.items())
