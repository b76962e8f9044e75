"""What drives a page: the server as a process, and a tab in Chromium, as a person uses them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REPOSITORY = Path(__file__).resolve().parent.parent.parent
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
        assert self.url.startswith("http://127."), self._process.stderr.read()  # type: ignore[union-attr]

    def peak_memory(self) -> int:
        """The most memory that it has taken so far, in MB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) // 1024

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


def find_chromium() -> str | None:
    """Where Debian's Chromium is."""
    return shutil.which("chromium")


@contextmanager
def open_chromium(program: str) -> Iterator[Browser]:
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*SWITCHES])
        yield browser
        browser.close()
