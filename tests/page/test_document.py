"""What has been drawn: which strokes are a round; what undo takes back, redo brings back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vostool.errors import ScribbleError
from vostool.page.document import Document
from vostool.scribbles import parse_scribbles


def draw(id: str, frame: int, object_id: int = 1, **more: Any) -> dict[str, Any]:
    path = [[0.1, 0.2], [0.3, 0.4]]
    return {"do": "draw", "id": id, "frame": frame, "object_id": object_id, "path": path, **more}


def after(*actions: dict[str, Any]) -> Document:
    document = Document(50)
    for action in actions:
        document.act(action)
    return document


def ids(document: Document) -> list[tuple[str, ...]]:
    return [one.ids for one in document.rounds]


def test_strokes_on_a_frame_are_one_round_until_another_is_drawn_on() -> None:
    document = after(draw("a", 3), draw("b", 3, 2), draw("c", 9), draw("d", 3), draw("e", 3, 0))
    assert ids(document) == [("a", "b"), ("c",), ("d", "e")]


def test_a_first_round_goes_on_until_it_has_an_object() -> None:
    """By background alone nothing can be told apart."""
    document = after(draw("a", 3, 0), draw("b", 9, 0), draw("c", 9), draw("d", 3))
    assert ids(document) == [("a", "b", "c"), ("d",)]


def test_a_file_is_a_round() -> None:
    strokes = [draw("x", 3), draw("y", 7)]
    document = after(draw("a", 3), {"do": "open", "strokes": strokes}, draw("b", 7))
    assert ids(document) == [("a",), ("x", "y"), ("b",)]
    document.act({"do": "undo"})
    document.act({"do": "undo"})
    assert ids(document) == [("a",)]


def test_erased_strokes_join_what_they_parted() -> None:
    document = after(draw("a", 3), draw("b", 9), draw("c", 3), {"do": "erase", "ids": ["b"]})
    assert ids(document) == [("a", "c")]
    with pytest.raises(ScribbleError, match="no such stroke"):
        document.act({"do": "erase", "ids": ["b"]})
    document.act({"do": "undo"})
    assert ids(document) == [("a",), ("b",), ("c",)]


def test_an_edit_ends_what_was_undone() -> None:
    document = after(draw("a", 3), draw("b", 3), {"do": "undo"}, draw("c", 3))
    assert ids(document) == [("a", "c")] and not document.can_redo
    document.act(draw("b", 3))  # its id is free again
    assert ids(document) == [("a", "c", "b")]


def test_what_cannot_be_done_changes_nothing() -> None:
    document = after(draw("a", 3))
    for action in (draw("a", 3), draw("b", 50), draw("b", 3, -1), {"do": "redo"}, {"do": "?"}):
        with pytest.raises(ScribbleError):
            document.act(action)
    assert ids(document) == [("a",)] and document.version == 1


def test_a_round_as_davis_json_is_the_round() -> None:
    document = after(draw("a", 3, width=5), draw("b", 3, 0), draw("c", 3, 255))
    text = json.dumps(document.rounds[0].as_davis("bikes"))
    read = parse_scribbles(json.loads(text), "it")
    ours = document.rounds[0].scribbles("it")
    assert read.sequence == "bikes" and read.annotated_frames == ours.annotated_frames == [3]
    size = (60, 80)
    assert (read.stroke_map(3, size) == ours.stroke_map(3, size)).all()


def test_a_wide_stroke_is_as_wide_as_it_says() -> None:
    for width in (1, 2, 3, 9):
        document = after(draw("a", 0, path=[[0.25, 0.5], [0.75, 0.5]], width=width))
        marks = document.rounds[0].scribbles("it").stroke_map(0, (41, 41))
        assert (marks[:, 20] == 1).sum() == width


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["draw", "erase", "undo", "redo"]), st.integers(0, 3))))
def test_undoing_all_and_redoing_all_is_doing_nothing(done: list[tuple[str, int]]) -> None:
    document = Document(4)
    for number, (what, frame) in enumerate(done):
        standing = [id for one in document.rounds for id in one.ids]
        if what == "draw":
            document.act(draw(str(number), frame))
        elif what == "erase" and standing:
            document.act({"do": "erase", "ids": [standing[frame % len(standing)]]})
        elif what == "undo" and document.can_undo:
            document.act({"do": "undo"})
        elif what == "redo" and document.can_redo:
            document.act({"do": "redo"})
    before, times = ids(document), 0
    while document.can_undo:
        document.act({"do": "undo"})
        times += 1
    assert ids(document) == []
    for _ in range(times):
        document.act({"do": "redo"})
    assert ids(document) == before
