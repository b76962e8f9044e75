"""The thread that answers: what is looked at comes first, what is new ends what is old."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import pytest

from vostool.adapter import Samples
from vostool.errors import AdapterError, VostoolError
from vostool.page.document import Drawn, Round
from vostool.page.messages import LabelMap
from vostool.page.worker import Worker
from vostool.pipeline.progress import Progress
from vostool.pipeline.suggestion import Suggestion, choose
from vostool.scribbles import Scribbles, Stroke
from vostool.session import Session

FRAMES = 30
DOUBTFUL = 17


class SlowSession:
    """A session whose masks take a hundredth of a second, and tell what was learnt.

    Attributes:
        learnt: the strokes of each round: how many, and what they corrected.
    """

    frames, size = FRAMES, (2, 2)
    strokes = Samples.empty()

    def __init__(self) -> None:
        self.learnt: list[tuple[int, list[int] | None]] = []
        self.added = 0

    @property
    def rounds(self) -> int:
        return len(self.learnt)

    def add_scribbles(self, given: Any, previous_masks: Any = None) -> None:
        if not isinstance(given, Scribbles):  # the warm-up's
            given = Scribbles.from_strokes(given)
        if not given.object_ids:
            raise AdapterError("nothing to tell apart")
        self.added += 1
        strokes = sum(map(len, given.strokes.values()))
        corrected = None if previous_masks is None else sorted(previous_masks)
        self.learnt.append((strokes, corrected))

    def undo(self) -> None:
        self.learnt.pop()

    def mask(self, frame: int) -> np.ndarray[Any, Any]:
        return np.full((2, 2), len(self.learnt), np.uint8)

    def choose(self, confidences: dict[int, float], count: int) -> list[Suggestion]:
        return choose(confidences, FRAMES, [], count, "slow")

    def mask_with_confidence(self, frame: int) -> tuple[np.ndarray[Any, Any], float]:
        time.sleep(0.01)
        return self.mask(frame), 0.1 if frame == DOUBTFUL else 0.9


class Listener:
    """Keeps what the worker tells.

    Attributes:
        masks: of all that came, the version and the frame.
        saves: the versions that were saved.
        suggestions: the version, and the frames.
        troubles: what could not be done.
    """

    def __init__(self) -> None:
        self.masks: list[tuple[int, int]] = []
        self.saves: list[int] = []
        self.troubles: list[str] = []
        self.suggestions: list[tuple[int, list[int]]] = []
        self.began = threading.Event()

    def ready(self, frames: int, marks: list[LabelMap]) -> None:
        self.began.set()

    def mask(self, mask: LabelMap) -> None:
        self.masks.append((mask.version, mask.frame))

    def progress(self, what: str, done: int, total: int) -> None:
        pass

    def suggested(self, frames: list[int], version: int) -> None:
        self.suggestions.append((version, frames))

    def saved(self, version: int) -> None:
        self.saves.append(version)

    def trouble(self, problem: str) -> None:
        self.troubles.append(problem)


@pytest.fixture
def session() -> SlowSession:
    return SlowSession()


@pytest.fixture
def told() -> Listener:
    return Listener()


@pytest.fixture
def worker(session: SlowSession, told: Listener) -> Iterator[Worker]:
    def save(_: Session, progress: Progress) -> None:
        for frame in range(FRAMES):
            progress(frame, FRAMES)
            time.sleep(0.005)

    worker = Worker(lambda bar, say: cast(Session, session), save, told)
    yield worker
    worker.stop()
    worker.join(10)
    assert not worker.is_alive()


def rounds(*frames: int, object_id: int = 1) -> tuple[Round, ...]:
    """A round of one stroke on each frame."""
    path = np.array([[0.1, 0.1]])
    return tuple(Round((Drawn(f"{n}", f, Stroke(object_id, path)),)) for n, f in enumerate(frames))


def more(one: Round, id: str) -> Round:
    """A round with a stroke more."""
    first = one.strokes[0]
    return Round((*one.strokes, Drawn(id, first.frame, first.stroke)))


def when_it_rests(told: Listener) -> int:
    """How many masks there are when no more come for as long as ten would take."""
    before = -1
    while before != len(told.masks):
        before = len(told.masks)
        time.sleep(0.1)
    return before


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_masks_come_outwards_from_where_one_looks(worker: Worker, told: Listener) -> None:
    worker.look(20)
    worker.want(rounds(3), ("r1",), 1)
    worker.start()
    until(lambda: len(told.masks) == FRAMES)
    assert [frame for _, frame in told.masks[:5]] == [20, 21, 19, 22, 18]
    assert {frame for _, frame in told.masks} == set(range(FRAMES))


def test_looking_elsewhere_goes_on_from_there(worker: Worker, told: Listener) -> None:
    worker.want(rounds(3), ("r1",), 1)
    worker.start()
    until(lambda: len(told.masks) > 3)
    worker.look(25)
    until(lambda: len(told.masks) == FRAMES)
    frames = [frame for _, frame in told.masks]
    assert 25 in frames[:8] and len(set(frames)) == FRAMES, "a mask was made twice, or late"


def test_a_new_stroke_ends_the_old_work(worker: Worker, told: Listener) -> None:
    worker.want(rounds(3), ("r1",), 1)
    worker.start()
    until(lambda: len(told.masks) > 3)
    worker.look(9)
    worker.want(rounds(3, 9), ("r1", "r2"), 2)
    until(lambda: (2, 9) in told.masks)
    old = [mask for mask in told.masks if mask[0] == 1]
    assert len(old) < FRAMES and told.masks[len(old)] == (2, 9)
    until(lambda: len(told.masks) == len(old) + FRAMES)


def test_only_what_changed_is_learnt_anew(
    worker: Worker, told: Listener, session: SlowSession
) -> None:
    """A stroke that joins the last round corrects the same masks as that round did."""
    both = rounds(3, 9)
    worker.want(both, ("r1", "r2"), 1)
    worker.start()
    until(lambda: len(told.masks) == FRAMES)
    added = session.added
    worker.want((both[0], more(both[1], "x")), ("r1", "r2"), 2)
    until(lambda: len(told.masks) == 2 * FRAMES)
    assert session.added == added + 1
    assert session.learnt == [(1, None), (2, [9])]
    worker.want(both[:1], ("r1",), 3)
    until(lambda: len(told.masks) == 3 * FRAMES)
    assert session.added == added + 1 and session.learnt == [(1, None)]


def test_a_round_that_cannot_be_learnt_is_told_of(worker: Worker, told: Listener) -> None:
    worker.want(rounds(3, object_id=0), ("r1",), 1)
    worker.start()
    until(lambda: told.troubles != [])
    assert told.troubles == ["nothing to tell apart"] and told.masks == []
    worker.want(rounds(3), ("r1",), 2)
    until(lambda: len(told.masks) == FRAMES)
    assert told.troubles[-1] == "", "the trouble is past"


def test_saving_gives_way_to_a_stroke_and_begins_again(worker: Worker, told: Listener) -> None:
    worker.want(rounds(3), ("r1",), 1)
    worker.start()
    worker.save()
    until(lambda: len(told.masks) == FRAMES)
    time.sleep(0.03)
    worker.want(rounds(3, 9), ("r1", "r2"), 2)
    until(lambda: told.saves != [])
    assert told.saves == [2] and len(told.masks) == 2 * FRAMES


def test_suggestions_give_way_to_a_stroke_and_begin_again(worker: Worker, told: Listener) -> None:
    """They are of the masks that are shown, and make none anew."""
    worker.want(rounds(3), ("r1",), 1)
    worker.suggest()
    worker.start()
    until(lambda: len(told.masks) > 3)
    worker.want(rounds(3, 9), ("r1", "r2"), 2)
    until(lambda: told.suggestions != [])
    ((version, frames),) = told.suggestions
    assert version == 2 and frames[0] == DOUBTFUL and len(frames) == 3
    until(lambda: sum(version == 2 for version, _ in told.masks) == FRAMES)


def test_of_a_long_clip_the_masks_that_suggestions_take_come_first(
    worker: Worker, told: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vostool.pipeline.suggestion.MOST_FRAMES", 4)
    worker.want(rounds(3), ("r1",), 1)
    worker.look(3)
    worker.suggest()
    worker.start()
    until(lambda: told.suggestions != [])
    assert [frame for _, frame in told.masks][:5] == [3, 0, 10, 19, 29]
    assert set(told.suggestions[0][1]) <= {0, 10, 19, 29}


def test_nothing_is_begun_while_the_pen_is_down(worker: Worker, told: Listener) -> None:
    worker.want(rounds(3), ("r1",), 1)
    worker.start()
    until(lambda: len(told.masks) > 3)
    worker.hold()
    made = when_it_rests(told)
    assert made < FRAMES
    worker.release()
    until(lambda: len(told.masks) > made)
    worker.hold()
    made = when_it_rests(told)
    assert made < FRAMES
    worker.want(rounds(3, 9), ("r1", "r2"), 2)
    until(lambda: len(told.masks) == made + FRAMES)


def test_that_the_clip_cannot_be_read_is_told(told: Listener) -> None:
    def fail(bar: object, say: object) -> Session:
        raise VostoolError("clip.mp4: breaks off")

    worker = Worker(fail, lambda session, progress: None, told)
    worker.start()
    worker.join(10)
    assert told.troubles == ["clip.mp4: breaks off"] and not told.began.is_set()
