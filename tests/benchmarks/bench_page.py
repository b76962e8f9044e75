"""The page: from pen up to the new mask on the screen, in Chromium; and all masks of the clip.

python tests/benchmarks/bench_page.py [--frames 70 2000]

A clip is the sample clip's 55 frames again and again; so are its features, which take 2.8 MB a
frame of the disk for temporary files.
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
from vostool.backbones import DEFAULT
from vostool.clips import Clip
from vostool.pipeline.extraction import NETWORK_HEIGHT, backbone_key, extract
from vostool.store import FeatureStore
from vostool.store.layout import CHUNK_FRAMES
from vostool.store.stage import ClipMetadata

SHOT = 55
"""Frames of the sample clip's shot."""
OBJECTS = (1, 5)
STROKES = 5
"""Further strokes on the first frame that is drawn on, whose median is told."""
FIRST, FAR = 2, 35
"""The frame of the first round, and that of the second."""
LOADING, LOOKING = 4000.0, 1000.0
"""Milliseconds that a person takes before the first stroke, and to look at a mask."""
LONGEST = 1800.0
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
            loop_features(clip, FeatureStore(Path(folder) / "store"))
            with open_chromium(program) as browser:
                for objects in OBJECTS:
                    server = Server(Path(folder) / "store", "--session", f"{folder}/{objects}")
                    try:
                        page = browser.new_page(viewport={"width": 1280, "height": 720})
                        measured = measure(Tab(page, server.url), objects)
                        rows.append((frames, objects, *measured, server.peak_memory()))
                        page.close()
                    finally:
                        server.kill()
    heads = (
        "first stroke, ms", "further strokes, ms", "another frame, ms", "all masks, s",
        "suggestion, s", "server, MB",
    )  # fmt: skip
    table("The page, 480p, features stored", ("frames", "objects", *heads), rows)


def loop_features(clip: Clip, store: FeatureStore) -> None:
    """The features of a clip that repeats itself, as ``bikes``: computed once, written often."""
    with clip_480p(SHOT) as shot:
        extract(shot, store.clip("shot"))
    reader = store.clip("shot").features(DEFAULT, "backbone")
    seen = [reader.read_frame(frame) for frame in range(SHOT)]
    about = ClipMetadata(
        str(clip.path), clip.start, clip.stop, clip.size, clip.fps, clip.fingerprint
    )
    key = backbone_key(clip.fingerprint, DEFAULT, None, NETWORK_HEIGHT)
    with store.clip("bikes").lock():
        writer = store.clip("bikes").writer(DEFAULT, "backbone", key)
        writer.begin(reader.pyramid, about)
        while writer.done < clip.expected_frames:
            stop = min(writer.done + CHUNK_FRAMES, clip.expected_frames)
            chunk = [seen[frame % SHOT] for frame in range(writer.done, stop)]
            writer.append([np.stack(level) for level in zip(*chunk, strict=True)])
        writer.finish()


def measure(tab: Tab, objects: int) -> tuple[str, str, str, str, str]:
    """One session: the first stroke, further ones, one on another mask; a suggestion, all masks."""
    tab.go(FIRST)
    tab.page.wait_for_timeout(LOADING)
    first = stroke(tab, 1, 0)
    further = [stroke(tab, 1 + n % objects, 1 + n) for n in range(max(STROKES, objects))]
    tab.go(FAR)
    tab.until(f"page.masks.get({FAR})?.version >= page.version")
    tab.page.wait_for_timeout(LOOKING)
    far = stroke(tab, 1, 0)
    begun = time.perf_counter()
    tab.page.keyboard.press("s")
    wait(tab, "page.suggestions.frames.length > 0", begun)
    suggested = time.perf_counter() - begun
    done = "Number(document.body.dataset.fresh) === page.clip.frames"
    wait(tab, done, begun)
    whole = time.perf_counter() - begun
    times = (f"{np.median(further):.0f}", f"{far}", f"{whole:.1f}", f"{suggested:.1f}")
    return f"{first}", *times


def wait(tab: Tab, expression: str, begun: float) -> None:
    """Wait until it is so."""
    while not tab.ask(expression):
        assert time.perf_counter() - begun < LONGEST
        time.sleep(0.05)


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
