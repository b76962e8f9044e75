"""Where to draw next: where masks are in doubt, and choices that do not repeat each other."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Vostool
from vostool.pipeline.suggestion import (
    FEWEST,
    MOST_FRAMES,
    Suggestion,
    best_of,
    choose,
    frames_to_look_at,
)

FRAMES = 60


def sure(doubtful: dict[int, float]) -> dict[int, float]:
    return {frame: 1 - doubtful.get(frame, 0.02) for frame in range(FRAMES)}


def chosen(doubtful: dict[int, float], *drawn: int, count: int = 3) -> list[int]:
    found = choose(sure(doubtful), FRAMES, drawn, count, "clip")
    assert [one.worth for one in found] == sorted((one.worth for one in found), reverse=True)
    return [one.frame for one in found]


def test_a_stretch_in_doubt_is_worth_more_than_one_frame() -> None:
    stretch = dict.fromkeys(range(36, 43), 0.4)
    assert chosen({**stretch, 10: 0.6}, count=1) == [39]


def test_the_next_choice_lies_elsewhere() -> None:
    """A neighbour is helped by the strokes on the frame that is chosen first."""
    first, second, _ = chosen({20: 0.5, 21: 0.5, 22: 0.5, 45: 0.5})
    assert first == 21 and second == 45


def test_frames_with_strokes_are_not_chosen_again() -> None:
    assert chosen({20: 0.5}, 20, count=1) in ([19], [21])
    assert chosen({}, *range(FRAMES)) == []
    assert set(chosen({}, *range(FRAMES - 2), count=5)) == {58, 59}


def test_the_worth_is_what_is_expected_to_be_wrong() -> None:
    (found,) = choose(dict.fromkeys(range(FRAMES), 0.75), FRAMES, [], 1, "clip")
    assert found.worth == pytest.approx(0.25) and found.clip == "clip"
    other = Suggestion(3, 0.5, "other")
    assert best_of([found, other, found], 2) == [other, found]


@pytest.mark.parametrize(
    ("frames", "clips", "looked_at"),
    [(1, 1, 1), (30, 1, 30), (2000, 1, MOST_FRAMES), (30, 1000, FEWEST), (3, 1000, 3)],
)
def test_of_long_clips_and_of_many_some_frames_are_looked_at(
    frames: int, clips: int, looked_at: int
) -> None:
    numbers = frames_to_look_at(frames, clips)
    assert len(set(numbers)) == looked_at and numbers[0] == 0 and numbers[-1] == frames - 1
    found = choose(dict.fromkeys(numbers, 0.5), frames, numbers[:1], 3, "clip")
    assert len(found) == min(3, looked_at - 1)


def test_the_command(vostool: Vostool, square_adapter: object) -> None:
    done = vostool("suggest", "--adapter", "a.h5", "--count", 4, "--json")
    frames = [json.loads(line)["frame"] for line in done.out.splitlines()]
    assert done.status == 0 and len(set(frames)) == 4 and set(frames) <= set(range(12))
    assert 2 not in frames, "it has strokes"
    table = vostool("suggest", "square", "--adapter", "a.h5").out.splitlines()
    assert table[0].split() == ["clip", "frame", "worth"] and len(table) == 4
    assert vostool("suggest", "--adapter", "none.h5").status == 1
