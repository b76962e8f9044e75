"""A person's hour in minutes: real pointer events in a real browser, on real frames."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Vostool
from tests.page.conftest import FRAMES, Server, Tab, bikes_scribbles, until
from vostool.images import read_mask
from vostool.writers.png import mask_file

LEG = ((165, 12), (165, 60), (160, 95), (140, 130), (118, 180), (113, 200))
OTHER_LEG = ((180, 30), (190, 80), (202, 130), (212, 175), (222, 215))
BOLLARD = ((275, 115), (275, 170), (275, 255))
FRAME = 2
CLIP = FRAMES[1] - FRAMES[0]


def draw_walker(tab: Tab) -> None:
    """The walker's legs as object 1, on frame 2."""
    tab.go(FRAME)
    tab.draw(*LEG)
    tab.draw(*OTHER_LEG)
    tab.until_answered()


def masks_of(tab: Tab) -> list[list[int]]:
    """Each frame's pixels of each object, by which masks are compared between tabs."""
    areas: list[list[int]] = tab.ask(
        "[...page.masks].sort(([a], [b]) => a - b).map(([, m]) => [...m.labels, ...m.lengths])"
    )
    return areas


def test_strokes_become_masks_that_are_seen(tab: Tab) -> None:
    """The main job: a stroke, its mask in every frame, in colour on the screen."""
    tab.go(FRAME)
    until(lambda: any(tab.colour(195, 60)[:3]), "the frame is on the screen")
    before = tab.colour(195, 60)
    assert tab.page.is_visible("#hint")
    draw_walker(tab)
    assert not tab.page.is_visible("#hint")
    assert tab.label(FRAME, 195, 120) == 1 and tab.label(FRAME, 500, 40) == 0
    assert all(tab.area(frame, 1) > 5000 for frame in range(CLIP))
    until(lambda: tab.colour(195, 60)[0] > before[0] + 30, "the walker is red")
    tab.until("document.getElementById('latency').dataset.milliseconds > 0")
    tab.page.keyboard.press("o")
    tab.until("page.style === 'outline'")
    until(lambda: tab.colour(195, 60)[0] < before[0] + 5, "an outline is not a filling")


def test_undo_redo_and_erase(tab: Tab) -> None:
    draw_walker(tab)
    whole = masks_of(tab)
    tab.page.keyboard.press("Control+z")
    tab.until("page.rounds.flat().length === 1")
    tab.until_answered()
    assert masks_of(tab) != whole
    tab.page.keyboard.press("Control+Shift+Z")
    tab.until("page.rounds.flat().length === 2")
    tab.until_answered()
    assert masks_of(tab) == whole
    tab.page.keyboard.press("e")
    tab.page.mouse.click(*tab.at(202, 131))
    tab.until("page.rounds.flat().length === 1")
    tab.page.click("#undo")
    tab.page.click("#undo")
    tab.page.click("#undo")
    tab.until("page.rounds.length === 0")
    assert tab.ask("page.masks.size") == 0 and tab.page.is_disabled("#undo")
    for _ in range(3):
        tab.page.click("#redo")
    tab.until("page.rounds.flat().length === 1 && page.masks.size === page.clip.frames")


def test_a_second_object(tab: Tab) -> None:
    draw_walker(tab)
    tab.page.click("#add-object")
    tab.until("page.objectIds().length === 2")
    tab.draw(*BOLLARD)
    tab.until_answered()
    assert tab.label(FRAME, 275, 200) == 2 and tab.label(FRAME, 195, 120) == 1
    tab.page.fill("[aria-label='Name of object 2']", "bollard")
    tab.page.keyboard.press("Enter")
    tab.until("page.names[2] === 'bollard'")
    shown = tab.colour(285, 230)
    tab.page.click("[aria-label='Show bollard']")
    tab.page.wait_for_timeout(100)
    hidden = tab.colour(285, 230)
    assert shown[1] - shown[0] > hidden[1] - hidden[0] + 20, "the bollard is green when it is shown"


def test_background_corrects_another_frame(tab: Tab) -> None:
    """The wall is taken for the object, and the next round takes it back."""
    tab.go(FRAME)
    tab.draw(*LEG)
    tab.draw((300, 20), (300, 100), (315, 40))
    tab.until_answered()
    assert tab.label(7, 305, 60) == 1
    tab.go(7)
    tab.page.keyboard.press("b")
    tab.draw((290, 30), (318, 80))
    tab.draw((285, 90), (325, 20))
    tab.draw((305, 15), (305, 105))
    tab.until_answered()
    assert len(tab.ask("page.rounds")) == 2
    assert tab.label(7, 305, 60) == 0, "background did not correct the mask"
    assert tab.ask("page.earlier.get(7).areas.get(1)") > tab.area(7, 1), "nothing to compare with"


def test_coordinates_are_right_to_a_pixel_at_every_zoom(tab: Tab, server: Server) -> None:
    tab.go(FRAME)
    for number, (wheel, x, y) in enumerate([(0, 100, 50), (-400, 317, 131), (-1200, 318, 132)]):
        tab.page.mouse.move(*tab.at(x + 0.5, y + 0.5))
        tab.page.mouse.wheel(0, wheel)
        tab.page.wait_for_timeout(60)
        scale = tab.ask("page.view.scale")
        assert scale > 1 or wheel == 0
        tab.draw((x + 0.5, y + 0.5), (x + 8.5, y + 3.5))
        until(lambda n=number: len(strokes(server)) > n, "the stroke on the disk")  # type: ignore[misc]
        path = np.array(strokes(server)[number]["path"])
        pixels = path * (639, 271)
        assert np.abs(pixels[0] - (x, y)).max() <= max(0.5, 0.5 / scale), (scale, pixels)
        assert np.abs(pixels[-1] - (x + 8, y + 3)).max() <= max(0.5, 0.5 / scale), (scale, pixels)


def strokes(server: Server) -> list[dict[str, list[list[float]]]]:
    """The first round's strokes, as they lie on the disk."""
    file = server.folder / "round-001.json"
    if not file.exists():
        return []
    found: list[dict[str, list[list[float]]]] = json.loads(file.read_text())["scribbles"][FRAME]
    return found


def test_fingers_draw_zoom_and_move(tab: Tab) -> None:
    """One finger draws; a second one tells that the first was not drawing."""
    touches = tab.page.context.new_cdp_session(tab.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    tab.go(FRAME)
    line = [tab.at(165 - 2 * n, 20 + 10 * n) for n in range(15)]
    touch("touchStart", line[0])
    for point in line[1:]:
        touch("touchMove", point)
    touch("touchEnd")
    tab.until("page.rounds.flat().length === 1")
    assert tab.ask("[...page.strokes.values()][0].path.length") >= 10
    x, y = tab.at(320, 136)
    before = tab.ask("page.view.scale")
    touch("touchStart", (x - 20, y))
    touch("touchStart", (x - 20, y), (x + 20, y))
    for spread in range(20, 65, 5):
        touch("touchMove", (x - spread, y), (x + spread, y))
    touch("touchEnd")
    tab.until(f"page.view.scale > {2 * before}")
    assert tab.ask("page.rounds.flat().length + page.pending.size") == 1, "the fingers drew"
    assert tab.at(320, 136) == pytest.approx((x, y), abs=15), "the frame did not stay in place"


def test_a_pen_draws_though_the_hand_rests_on_the_tablet(tab: Tab) -> None:
    """A finger beside the pen moves nothing, and ends no stroke."""
    devices = tab.page.context.new_cdp_session(tab.page)

    def pen(kind: str, point: tuple[float, float]) -> None:
        x, y = point
        button = {"button": "left", "buttons": 1, "clickCount": 1, "pointerType": "pen"}
        devices.send("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **button})

    def palm(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": 7} for x, y in points]
        devices.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    tab.go(FRAME)
    scale = tab.ask("page.view.scale")
    pen("mousePressed", tab.at(*LEG[0]))
    palm("touchStart", tab.at(500, 250))
    for point in LEG[1:]:
        pen("mouseMoved", tab.at(*point))
        palm("touchMove", tab.at(500 + point[1] / 10, 250))
    palm("touchEnd")
    pen("mouseReleased", tab.at(*LEG[-1]))
    tab.until("page.rounds.flat().length === 1")
    assert tab.ask("[...page.strokes.values()][0].path.length") >= len(LEG)
    assert tab.ask("page.view.scale") == scale, "the hand zoomed"


def test_what_comes_to_nothing_is_said(tab: Tab) -> None:
    """A line beside the frame is no stroke, and a jump to nowhere tells why."""
    tab.go(FRAME)
    for key, told in (("m", "no frame has strokes yet"), ("u", "no mask is in doubt yet")):
        tab.page.keyboard.press(key)
        tab.until(f"document.getElementById('told').textContent === '{told}'")
    tab.page.keyboard.press("c")
    tab.until("document.getElementById('corner').textContent.startsWith('no other mask')")
    tab.page.mouse.move(*tab.at(100, -10))
    tab.page.mouse.down()
    tab.page.mouse.move(*tab.at(300, -12), steps=4)
    tab.page.mouse.up()
    tab.draw(*LEG)
    tab.until_answered()
    assert tab.ask("page.rounds.flat().length") == 1, "drew along the frame's border"


def test_a_reloaded_tab_is_where_it_was(tab: Tab, server: Server) -> None:
    tab.go(6)
    tab.until("location.hash === '#6'")
    tab.page.reload()
    tab.until("window.page?.ready && page.frame === 6 && page.frames.has(6)")


def test_two_tabs_see_the_same(tab: Tab, open_tab: Callable[[], Tab]) -> None:
    other = open_tab()
    draw_walker(tab)
    other.until("page.rounds.flat().length === 2")
    other.until_answered()
    assert masks_of(other) == masks_of(tab)
    other.go(FRAME)
    other.page.click("#add-object")
    other.draw(*BOLLARD)
    tab.until("page.rounds.flat().length === 3")
    tab.until_answered()
    other.until_answered()
    assert masks_of(other) == masks_of(tab)
    third = open_tab()
    third.until_answered()
    assert masks_of(third) == masks_of(tab)


def test_a_killed_server_goes_on_where_it_was(tab: Tab, server: Server) -> None:
    draw_walker(tab)
    before = masks_of(tab)
    tab.draw(*BOLLARD)
    tab.until("!page.pending.size")  # acknowledged, and perhaps not answered
    server.kill()
    tab.until("!page.connection.isOpen")
    tab.page.keyboard.press("n")
    tab.draw((400, 100), (420, 120))  # kept in the tab until the server is there
    tab.until("page.pending.size === 1")
    server.start()
    tab.until("page.rounds.flat().length === 4")
    tab.until_answered()
    assert masks_of(tab) != before
    for _ in range(2):
        tab.page.click("#undo")
    tab.until("page.rounds.flat().length === 2")
    tab.until_answered()
    assert masks_of(tab) == before, "another session than before the kill"


def test_what_is_saved_is_what_the_commands_make(
    tab: Tab, server: Server, vostool: Vostool, tmp_path: Path
) -> None:
    draw_walker(tab)
    tab.go(8)
    tab.page.keyboard.press("b")
    tab.page.fill("#width", "3")
    tab.draw((300, 20), (420, 60))
    tab.until_answered()
    tab.page.keyboard.press("Control+s")
    until(lambda: (server.folder / "adapter.h5").exists(), "the adapter")
    tab.until("document.getElementById('told').textContent.startsWith('Saved')")
    rounds = sorted(server.folder.glob("round-*.json"))
    assert [file.name for file in rounds] == ["round-001.json", "round-002.json"]
    words = [word for file in rounds for word in ("--scribbles", file)]
    assert vostool("adapt", "bikes", *words, "--out", "a.h5").status == 0
    assert vostool("render", "bikes", "--adapter", "a.h5", "--out", "m").status == 0
    adapter = server.folder / "adapter.h5"
    assert vostool("render", "--adapter", adapter, "--out", "m2").status == 0
    shown = [np.concatenate([np.full(n, v) for v, n in runs(mask)]) for mask in masks_of(tab)]
    for frame in range(CLIP):
        saved = read_mask(mask_file(server.folder / "masks", frame))
        assert np.array_equal(saved, read_mask(mask_file(tmp_path / "m", frame)))
        assert np.array_equal(saved, read_mask(mask_file(tmp_path / "m2", frame)))
        assert (saved.ravel() != shown[frame]).mean() < 0.001, "not what was shown"
    assert (server.folder / "overlay.mp4").stat().st_size > 1000


def runs(mask: list[int]) -> list[tuple[int, int]]:
    """A mask's runs, (label, length)."""
    half = len(mask) // 2
    return list(zip(mask[:half], mask[half:], strict=True))


def test_frames_are_suggested(tab: Tab) -> None:
    draw_walker(tab)
    tab.page.keyboard.press("s")
    tab.until("page.suggestions.frames.length === 3")
    first, *_ = tab.ask("page.suggestions.frames")
    tab.until(f"page.frame === {first}")
    tab.page.click("#suggest")
    tab.until(f"page.frame !== {first} && page.suggestions.frames.includes(page.frame)")


def test_strokes_made_elsewhere_show_up(tab: Tab, tmp_path: Path) -> None:
    tab.page.set_input_files("#file", bikes_scribbles(tmp_path))
    tab.until("page.rounds.length === 1 && page.objectIds().length === 2")
    tab.until_answered()
    assert tab.area(FRAME, 1) > 5000 and tab.area(FRAME, 2) > 5000
    for wrong, told in (
        ("not JSON", "not a JSON file"),
        ('{"sequence": "bear", "scribbles": [[]]}', "was drawn on"),
        (json.dumps({"scribbles": [[]] * 99}), "speaks of 99 frames"),
    ):
        (tmp_path / "wrong.json").write_text(wrong)
        tab.page.set_input_files("#file", tmp_path / "wrong.json")
        tab.until(f"document.getElementById('told').textContent.includes('{told}')")
    assert len(tab.ask("page.rounds")) == 1


def test_everything_is_reached_by_keys(tab: Tab) -> None:
    keys = [
        ("End", "page.frame === page.clip.frames - 1"),
        ("Home", "page.frame === 0"),
        ("ArrowRight", "page.frame === 1"),
        ("b", "page.objects.chosen === 0"),
        ("1", "page.objects.chosen === 1"),
        ("]", "page.width === 2"),
        ("e", "page.tool === 'erase'"),
        ("h", "page.tool === 'hand'"),
        ("d", "page.tool === 'draw'"),
        ("a", "page.style === 'none'"),
        ("c", "page.isComparing"),
        ("+", "page.view.scale > 1.7"),
        ("?", "document.getElementById('keys').open"),
    ]
    for key, holds in keys:
        tab.page.keyboard.press(key)
        tab.until(holds)
    tab.page.keyboard.press("Escape")
    tab.until("!document.getElementById('keys').open && document.activeElement === document.body")
    tab.page.keyboard.press("Space")
    tab.until("page.frame === page.clip.frames - 1")
    tab.page.keyboard.press("Tab")
    outline = tab.ask("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the keyboard's focus is not seen"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_controls_have_names_and_fit(tab: Tab, scheme: str) -> None:
    tab.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    nameless = tab.ask(
        "[...document.querySelectorAll('button, input, canvas')].filter((e) => !e.hidden && "
        "!(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length))"
        ".map((e) => e.outerHTML)"
    )
    assert nameless == []
    assert tab.ask("document.documentElement.scrollWidth <= 1280")
    assert tab.ask("document.querySelector('footer').getBoundingClientRect().bottom <= 720")
    light = tab.ask("getComputedStyle(document.body).backgroundColor") == "rgb(246, 246, 244)"
    assert light == (scheme == "light")
