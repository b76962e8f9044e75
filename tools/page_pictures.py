"""Takes the documentation's pictures of the page: a real session, drawn in a real browser.

    python tools/page_pictures.py

After ``python3 examples/quickstart.py``, whose store it reads. The strokes are those of
``examples/bikes.json`` and ``bikes-round2.json``, drawn with the mouse. Needs Chromium and
Playwright.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.page.driver import REPOSITORY, Server, Tab, find_chromium, open_chromium

IMAGES = REPOSITORY / "docs" / "images"
STORE = REPOSITORY / "out" / "store"
SIZE = (640, 272)
"""The clip's width and height."""
NAMES = ("walker", "bollard")


def main() -> None:
    """Draw, and take the pictures."""
    program = find_chromium()
    if program is None or not STORE.is_dir():
        sys.exit("needs Chromium (apt-get install chromium), and python3 examples/quickstart.py")
    with tempfile.TemporaryDirectory() as folder, open_chromium(program) as browser:
        store = Path(shutil.copytree(STORE, Path(folder) / "store"))
        server = Server(store)
        try:
            tab = Tab(browser.new_page(viewport={"width": 1280, "height": 720}), server.url)
            draw_round(tab, REPOSITORY / "examples" / "bikes.json")
            draw_round(tab, REPOSITORY / "examples" / "bikes-round2.json")
            for number, name in enumerate(NAMES, 1):
                tab.page.fill(f"[aria-label='Name of object {number}']", name)
                tab.page.keyboard.press("Enter")
            tab.until_answered()
            tab.go(2)
            take(tab, IMAGES / "scribble.jpg")
            tab.go(12)
            tab.page.keyboard.press("o")
            tab.page.emulate_media(color_scheme="dark")
            take(tab, IMAGES / "scribble-dark.jpg")
        finally:
            server.stop()


def draw_round(tab: Tab, file: Path) -> None:
    """Draw the strokes of a file where they belong."""
    for frame, strokes in enumerate(json.loads(file.read_text())["scribbles"]):
        if strokes:
            tab.go(frame)
        for stroke in strokes:
            while stroke["object_id"] > max(tab.ask("page.objectIds()")):
                known = len(tab.ask("page.objectIds()"))
                tab.page.click("#add-object")
                tab.until(f"page.objectIds().length > {known}")
            tab.ask(f"page.choose({stroke['object_id']})")
            tab.until(f"page.masks.get({frame})?.version >= page.version || !page.rounds.length")
            tab.draw(
                *((x * (SIZE[0] - 1) + 0.5, y * (SIZE[1] - 1) + 0.5) for x, y in stroke["path"])
            )
    tab.until_answered()


def take(tab: Tab, file: Path) -> None:
    """Take a picture of what is seen."""
    tab.page.mouse.move(0, 0)
    tab.page.wait_for_timeout(1500)
    tab.page.screenshot(path=file, type="jpeg", quality=80)
    print(file.relative_to(REPOSITORY), f"{file.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
