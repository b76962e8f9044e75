"""The page: from pen up to the new mask on the screen, in Chromium; and all masks of the clip.

python tests/benchmarks/bench_page.py [--frames 70 2000]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import clip_480p, table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.page.driver import Server, Tab, find_chromium, open_chromium
from vostool.pipeline.context import propagate
from vostool.pipeline.extraction import extract
from vostool.store import FeatureStore

OBJECTS = (1, 5)
STROKES = 5
"""Further strokes on the first frame that is drawn on, whose median is told."""
FIRST, FAR = 2, 35
"""The frame of the first round, and that of the second."""
LOADING, LOOKING = 4000.0, 1000.0
"""Milliseconds that a person takes before the first stroke, and to look at a mask."""
LONGEST = 600.0
"""Seconds to wait for all masks of a long clip."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", nargs="*", type=int, default=[70, 2000])
    program = find_chromium()
    if program is None:
        sys.exit("no Chromium: apt-get install chromium")
    rows: list[tuple[object, ...]] = []
    for frames in parser.parse_args().frames:
        with clip_480p(frames) as clip, tempfile.TemporaryDirectory() as folder:
            stored = FeatureStore(Path(folder) / "store").clip("bikes")
            extract(clip, stored)
            propagate(stored)
            with open_chromium(program) as browser:
                for objects in OBJECTS:
                    server = Server(Path(folder) / "store", "--session", f"{folder}/{objects}")
                    try:
                        page = browser.new_page(viewport={"width": 1280, "height": 720})
                        rows.append((frames, objects, *measure(Tab(page, server.url), objects)))
                        page.close()
                    finally:
                        server.kill()
    heads = ("first stroke, ms", "further strokes, ms", "another frame, ms", "all masks, s")
    table("The page, 480p, features stored", ("frames", "objects", *heads), rows)


def measure(tab: Tab, objects: int) -> tuple[str, str, str, str]:
    """One session: the first stroke, further ones, one on another mask, and then all masks."""
    tab.go(FIRST)
    tab.page.wait_for_timeout(LOADING)
    first = stroke(tab, 1, 0)
    further = [stroke(tab, 1 + n % objects, 1 + n) for n in range(max(STROKES, objects))]
    tab.go(FAR)
    tab.until(f"page.masks.get({FAR})?.version >= page.version")
    tab.page.wait_for_timeout(LOOKING)
    far = stroke(tab, 1, 0)
    begun = time.perf_counter()
    done = "Number(document.body.dataset.fresh) === page.clip.frames"
    while not tab.ask(done):
        assert time.perf_counter() - begun < LONGEST
        time.sleep(0.05)
    whole = time.perf_counter() - begun
    return f"{first}", f"{np.median(further):.0f}", f"{far}", f"{whole:.1f}"


def stroke(tab: Tab, object_id: int, number: int) -> int:
    """Draw one more stroke on the frame at hand; the page's own figure, in ms."""
    while object_id not in tab.ask("page.objectIds()"):
        tab.page.click("#add-object")
        tab.page.wait_for_timeout(200)
    tab.ask(f"page.choose({object_id})")
    before = tab.ask("document.getElementById('latency').dataset.id ?? ''")
    x = 120 + 140 * (object_id - 1) + 6 * number
    tab.draw((x, 120), (x + 15, 250), (x, 380))
    tab.until(f"(document.getElementById('latency').dataset.id ?? '') !== '{before}'")
    return int(tab.ask("document.getElementById('latency').dataset.milliseconds"))


if __name__ == "__main__":
    main()
