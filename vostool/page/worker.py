"""The thread that owns the session: brings it to the rounds that stand, and makes their masks.

A frame takes some hundredths of a second, and nothing is asked between frames but what to do next;
so whatever is drawn or looked at meanwhile comes first after it.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vostool.errors import VostoolError
from vostool.masks import Mask
from vostool.page.document import Round
from vostool.page.messages import MARKS, LabelMap
from vostool.pipeline.prediction import outwards
from vostool.pipeline.progress import Progress
from vostool.pipeline.suggestion import frames_to_look_at
from vostool.scribbles import BACKGROUND, PAINTED_BACKGROUND, UNMARKED, Stroke

if TYPE_CHECKING:
    from vostool.pipeline.preparation import Bar
    from vostool.pipeline.progress import Say
    from vostool.session import Session

SUGGESTIONS = 3
"""Frames that are suggested at a time."""
LONGEST_HOLD = 5.0
"""Seconds after which a pen that is down does not hold the masks up any more."""

OpenSession = Callable[["Bar", "Say"], "Session"]
"""Opens the session, and tells how far it is."""


class Told(Protocol):
    """Is told what happens, in the worker's thread."""

    def ready(self, frames: int, marks: list[LabelMap]) -> None:
        """The features are there; strokes of the adapter that was begun from, by frame."""

    def mask(self, mask: LabelMap) -> None:
        """A frame's mask is made."""

    def progress(self, what: str, done: int, total: int) -> None:
        """Something slow goes on; nothing does where ``what`` is empty."""

    def suggested(self, frames: list[int], version: int) -> None:
        """Frames to draw on are found, the best first, of a version of the document."""

    def saved(self, version: int) -> None:
        """All outputs are written, of a version of the document."""

    def trouble(self, problem: str) -> None:
        """One line on what could not be done; an empty one when it is past."""


class _Interrupted(Exception):
    """There is something better to do than what was begun."""


@dataclass
class _Wish:
    """What is wanted of the worker; under its lock.

    Attributes:
        rounds: that the session is to have learnt from, and their files, by which it calls them.
        version: of the document that has them.
        frame: that is looked at.
        save: whether the outputs are to be written.
        suggest: whether frames to draw on are to be found.
        hold: until when (of time.monotonic) a pen is down, and nothing new is to be begun.
        stop: whether to end.
    """

    rounds: tuple[Round, ...] = ()
    sources: tuple[str, ...] = ()
    version: int = 0
    frame: int = 0
    save: bool = False
    suggest: bool = False
    hold: float = 0.0
    stop: bool = False


class Worker(threading.Thread):
    """Owns the session.

    Args:
        open_session: opens it, in this thread.
        save: writes the outputs of a session, and tells how far it is.
        told: told of what happens.
        one_line: what to say of an error.
    """

    def __init__(
        self,
        open_session: OpenSession,
        save: Callable[[Session, Progress], None],
        told: Told,
        one_line: Callable[[VostoolError], str] = str,
    ) -> None:
        super().__init__(name="vostool-session", daemon=True)
        self._open, self._save, self._told, self._one_line = open_session, save, told, one_line
        self._changed = threading.Condition()
        self._wish = _Wish()
        self._version = -1
        self._learnt: tuple[Round, ...] = ()
        self._made: set[int] = set()
        self._confidences: dict[int, float] = {}
        self._corrected: tuple[tuple[Round, ...], dict[int, Mask]] = ((), {})

    def want(self, rounds: tuple[Round, ...], sources: tuple[str, ...], version: int) -> None:
        """Have the masks of some rounds made, in place of those of any before.

        Args:
            rounds: all of them, in order.
            sources: what to call each.
            version: of the document that has them.
        """
        with self._changed:
            wish = self._wish
            wish.rounds, wish.sources, wish.version = rounds, sources, version
            wish.hold = 0
            self._changed.notify()

    def look(self, frame: int) -> None:
        """Make the masks next to a frame first."""
        with self._changed:
            self._wish.frame = frame

    def hold(self) -> None:
        """Begin nothing for a while: a stroke is being drawn, and shall be answered at once."""
        with self._changed:
            self._wish.hold = time.monotonic() + LONGEST_HOLD

    def release(self) -> None:
        """Go on: what was being drawn is no stroke."""
        with self._changed:
            self._wish.hold = 0
            self._changed.notify()

    def suggest(self) -> None:
        """Find frames to draw on, as soon as there is the mask that is looked at."""
        with self._changed:
            self._wish.suggest = True
            self._changed.notify()

    def save(self) -> None:
        """Write the outputs, as soon as there are no masks to make."""
        with self._changed:
            self._wish.save = True
            self._changed.notify()

    def stop(self) -> None:
        """End, after the frame at hand."""
        with self._changed:
            self._wish.stop = True
            self._changed.notify()

    def run(self) -> None:
        """Work until told to stop."""
        try:
            session = self._open(self._bar, lambda line: self._told.progress(line, 0, 0))
            self._told.ready(session.frames, _marks(session))
            if not self._wish.rounds:
                _warm_up(session)
            while (work := self._next(session)) is not None:
                try:
                    work()
                except VostoolError as problem:
                    self._told.trouble(self._one_line(problem))
                except _Interrupted:
                    pass
        except VostoolError as problem:
            self._told.trouble(self._one_line(problem))
        except Exception as problem:  # a defect: the page shall not wait for ever, and in silence
            traceback.print_exc(file=sys.stderr)
            self._told.trouble(f"a defect stopped the masks ({problem!r}); start vostool again")

    def _next(self, session: Session) -> Callable[[], None] | None:
        """What to do next; waits until there is something. None is to stop."""
        with self._changed:
            while True:
                wish = replace(self._wish)
                if wish.stop:
                    return None
                if wish.version != self._version:
                    self._made.clear()
                    self._confidences.clear()
                    return lambda: self._learn(session, wish)
                if (held := wish.hold - time.monotonic()) > 0:
                    self._changed.wait(held)
                    continue
                missing = set(range(session.frames)) - self._made if session.rounds else set()
                if wish.suggest and wish.frame not in missing:
                    return lambda: self._suggest(session, missing)
                if missing:
                    frame = next(f for f in outwards(wish.frame, session.frames) if f in missing)
                    return lambda: self._make(session, frame)
                if wish.save:
                    return lambda: self._write(session)
                self._changed.wait()

    def _learn(self, session: Session, wish: _Wish) -> None:
        """Bring the session to the rounds that stand: what it knows of them it does not repeat."""
        same = 0
        for known, wanted in zip(self._learnt, wish.rounds, strict=False):
            if known.ids != wanted.ids:
                break
            same += 1
        while len(self._learnt) > same:
            session.undo()
            self._learnt = self._learnt[:-1]
        try:
            for one, source in zip(wish.rounds[same:], wish.sources[same:], strict=True):
                self._check_wish(wish.version)
                self._add(session, one, source)
            self._told.trouble("")
        finally:
            self._version = wish.version

    def _add(self, session: Session, one: Round, source: str) -> None:
        """Learn from a round; the masks that it corrects are kept for when it has more strokes."""
        scribbles, previous = one.scribbles(source), None
        if session.rounds:
            before, masks = self._corrected
            if before != self._learnt:
                self._corrected = before, masks = self._learnt, {}
            for frame in scribbles.annotated_frames:
                if frame not in masks:
                    masks[frame] = session.mask(frame)
            previous = masks
        session.add_scribbles(scribbles, previous_masks=previous)
        self._learnt = (*self._learnt, one)

    def _make(self, session: Session, frame: int) -> None:
        self._made.add(frame)  # also one that cannot be made is not tried again
        mask, sure = session.mask_with_confidence(frame)
        self._confidences[frame] = sure
        self._told.mask(LabelMap.of(mask, frame, version=self._version, confidence=sure))

    def _suggest(self, session: Session, missing: set[int]) -> None:
        """Find frames to draw on, or make one more mask of those that it takes to find them."""
        looked_at = frames_to_look_at(session.frames) if session.rounds else []
        wanted = [frame for frame in looked_at if frame in missing]
        if wanted:
            self._told.progress("suggest", len(looked_at) - len(wanted), len(looked_at))
            self._make(session, wanted[0])
            return
        with self._changed:
            self._wish.suggest = False
        self._told.progress("", 0, 0)
        there = {f: self._confidences[f] for f in looked_at if f in self._confidences}
        found = session.choose(there, SUGGESTIONS) if there else []
        self._told.suggested([one.frame for one in found], self._version)

    def _write(self, session: Session) -> None:
        """Write the outputs; what is drawn meanwhile comes first, and then they are begun again."""

        def progress(done: int, total: int) -> None:
            self._check_wish(self._version)
            self._told.progress("save", done, total)

        try:
            self._save(session, progress)
        except _Interrupted:
            self._told.progress("", 0, 0)
            raise
        except VostoolError:
            self._end_save()
            raise
        self._end_save()
        self._told.saved(self._version)

    def _end_save(self) -> None:
        with self._changed:
            self._wish.save = False
        self._told.progress("", 0, 0)

    def _check_wish(self, version: int) -> None:
        if self._wish.version != version or self._wish.stop:
            raise _Interrupted

    @contextmanager
    def _bar(self, what: str) -> Iterator[Progress]:
        yield lambda done, total: self._told.progress(what, done, total)
        self._told.progress("", 0, 0)


def _marks(session: Session) -> list[LabelMap]:
    """The strokes that a session has begun with."""
    strokes, maps = session.strokes, []
    for frame in np.unique(strokes.frame).tolist():
        marks = strokes.stroke_map(frame, session.size)
        painted = np.where(
            marks == UNMARKED, 0, np.where(marks == BACKGROUND, PAINTED_BACKGROUND, marks)
        )
        maps.append(LabelMap.of(painted.astype(np.uint8), frame, kind=MARKS))
    return maps


def _warm_up(session: Session) -> None:
    """Load what a first mask needs, so that the first stroke is answered as fast as the others."""
    if session.rounds:
        session.mask(0)
        return
    session.add_scribbles({0: [Stroke(1, np.array([[0.25, 0.5], [0.75, 0.5]]))]})
    session.mask(0)
    session.undo()
