"""What has been drawn: edits, undone and done again, and the rounds that they come to.

Nothing here touches a disk or a network. A document is what its actions made of it, one after the
other; so a file of actions is a document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vostool.errors import ScribbleError
from vostool.scribbles import BACKGROUND, LARGEST_OBJECT_ID, Scribbles, Stroke, parse_scribbles

Action = Mapping[str, Any]
"""One thing that a person did, as a browser sends it and the disk keeps it: ``do`` tells what."""

MOST_POINTS = 20_000
"""Of a stroke: minutes without lifting the pen."""
MOST_STROKES = 20_000
"""Of a document, those among them that were undone or erased."""
LONGEST_NAME = 60
LONGEST_ID = 40


@dataclass(frozen=True)
class Drawn:
    """A stroke where it lies.

    Attributes:
        id: by which browsers and the file know it.
        frame: the frame's number.
        stroke: the line.
    """

    id: str
    frame: int
    stroke: Stroke

    def as_json(self) -> dict[str, Any]:
        """As a browser reads it."""
        return {"id": self.id, "frame": self.frame, **_entry(self.stroke)}


@dataclass(frozen=True)
class Round:
    """Strokes that are learnt from together.

    Attributes:
        strokes: in the order in which they were drawn.
    """

    strokes: tuple[Drawn, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The strokes' ids, by which two rounds are the same."""
        return tuple(drawn.id for drawn in self.strokes)

    def scribbles(self, source: str) -> Scribbles:
        """As a session takes them."""
        frames: dict[int, list[Stroke]] = {}
        for drawn in self.strokes:
            frames.setdefault(drawn.frame, []).append(drawn.stroke)
        return Scribbles.from_strokes(frames, source)

    def as_davis(self, sequence: str) -> dict[str, Any]:
        """As the JSON of the DAVIS interactive benchmark, which ``vostool adapt`` takes.

        Args:
            sequence: the clip's name.
        """
        last = max(drawn.frame for drawn in self.strokes)
        frames: list[list[dict[str, Any]]] = [[] for _ in range(last + 1)]
        for drawn in self.strokes:
            frames[drawn.frame].append(_entry(drawn.stroke))
        return {"sequence": sequence, "scribbles": frames}


@dataclass(frozen=True)
class _Edit:
    """What undo takes back: strokes that came, those of a file together, or that went."""

    added: tuple[Drawn, ...] = ()
    from_file: bool = False
    erased: frozenset[str] = frozenset()


class Document:
    """All that has been drawn on a clip.

    Args:
        frames: how many the clip has; strokes beyond are refused.

    Attributes:
        version: how many actions there were; grows for ever.
        drawn_version: the version in which the strokes last changed.
        names: what the objects are called, by id.
        strokes: every stroke that stands or can come back, by id.
    """

    def __init__(self, frames: int) -> None:
        self.version = self.drawn_version = 0
        self.names: dict[int, str] = {}
        self.strokes: dict[str, Drawn] = {}
        self._frames = frames
        self._edits: list[_Edit] = []
        self._done = 0

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return self._done > 0

    @property
    def can_redo(self) -> bool:
        """Whether an edit was taken back, and none was made since."""
        return self._done < len(self._edits)

    @property
    def rounds(self) -> tuple[Round, ...]:
        """The strokes that stand, as rounds.

        All strokes on a frame, until another frame is drawn on, are one round, learnt from anew
        whenever one joins it: were each its own, the random background that goes with the first
        (§2.3) could lie on what the second is about to mark, and would stay. A first round goes on
        until it has an object: by background alone nothing can be told apart.
        """
        rounds: list[list[Drawn]] = []
        last: object = None
        objects = False
        for origin, drawn in self._standing():
            if not rounds or (objects and origin != last):
                rounds.append([])
            rounds[-1].append(drawn)
            last, objects = origin, objects or drawn.stroke.object_id != BACKGROUND
        return tuple(Round(tuple(strokes)) for strokes in rounds)

    def act(self, action: Action) -> None:
        """Do one thing more.

        Raises:
            ScribbleError: it is none of the things that can be done, or cannot be done now; the
                document is as it was.
        """
        name = action.get("do") if isinstance(action, Mapping) else None
        if not isinstance(name, str) or name not in _ACTIONS:
            raise ScribbleError(f"an action must be one of: {', '.join(_ACTIONS)}")
        _ACTIONS[name](self, action)
        self.version += 1
        if name != "name":
            self.drawn_version = self.version

    def _standing(self) -> Iterator[tuple[object, Drawn]]:
        """Strokes in the order in which they were drawn, each with what it came with."""
        edits = self._edits[: self._done]
        erased = frozenset().union(*(edit.erased for edit in edits))
        for number, edit in enumerate(edits):
            for drawn in edit.added:
                if drawn.id not in erased:
                    yield ("file", number) if edit.from_file else ("frame", drawn.frame), drawn

    def _draw(self, action: Action) -> None:
        self._edit(_Edit(added=(self._drawn(action),)))

    def _open(self, action: Action) -> None:
        given = action.get("strokes")
        if not isinstance(given, list) or not given:
            raise ScribbleError('"strokes" must be a list of strokes')
        drawn = tuple(self._drawn(entry) for entry in given)
        if len({one.id for one in drawn}) < len(drawn):
            raise ScribbleError("two strokes have the same id")
        self._edit(_Edit(added=drawn, from_file=True))

    def _erase(self, action: Action) -> None:
        ids = action.get("ids")
        standing = {drawn.id for _, drawn in self._standing()}
        if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids) or not ids:
            raise ScribbleError('"ids" must be a list of ids of strokes')
        if not standing.issuperset(ids):
            raise ScribbleError("no such stroke: it was erased or undone")
        self._edit(_Edit(erased=frozenset(ids)))

    def _undo(self, _: Action) -> None:
        if not self.can_undo:
            raise ScribbleError("nothing to undo")
        self._done -= 1

    def _redo(self, _: Action) -> None:
        if not self.can_redo:
            raise ScribbleError("nothing to redo")
        self._done += 1

    def _name(self, action: Action) -> None:
        object_id, name = action.get("object_id"), action.get("name")
        if type(object_id) is not int or not 1 <= object_id <= LARGEST_OBJECT_ID:
            raise ScribbleError(f'"object_id" must be a whole number in 1..{LARGEST_OBJECT_ID}')
        if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME:
            raise ScribbleError(f'"name" must be a text of 1 to {LONGEST_NAME} letters')
        self.names[object_id] = name

    def _edit(self, edit: _Edit) -> None:
        """Make an edit; what was undone before it is gone."""
        if len(self.strokes) + len(edit.added) > MOST_STROKES:
            raise ScribbleError(f"there are {MOST_STROKES} strokes; no more fit in a session")
        for gone in self._edits[self._done :]:
            for drawn in gone.added:
                del self.strokes[drawn.id]
        self._edits[self._done :] = [edit]
        self._done += 1
        self.strokes.update((drawn.id, drawn) for drawn in edit.added)

    def _drawn(self, entry: Any) -> Drawn:
        """A stroke of what a browser sent, checked."""
        if not isinstance(entry, Mapping):
            raise ScribbleError("a stroke must be an object")
        id, frame, path = (entry.get(key) for key in ("id", "frame", "path"))
        if not isinstance(id, str) or not 1 <= len(id) <= LONGEST_ID:
            raise ScribbleError(f'"id" must be a text of 1 to {LONGEST_ID} letters')
        if id in self.strokes:
            raise ScribbleError(f"stroke {id} is there already")
        if type(frame) is not int or not 0 <= frame < self._frames:
            raise ScribbleError(f'"frame" must be a whole number in 0..{self._frames - 1}')
        if isinstance(path, list) and len(path) > MOST_POINTS:
            raise ScribbleError(f"a stroke may have {MOST_POINTS} points")
        parsed = parse_scribbles({"scribbles": [[dict(entry)]]}, "the stroke")
        return Drawn(id, frame, parsed.strokes[0][0])


def _entry(stroke: Stroke) -> dict[str, Any]:
    """A stroke as it stands in DAVIS JSON; only one that is not a pixel wide has a width."""
    width = {} if stroke.width == 1 else {"width": int(stroke.width)}
    return {"path": stroke.path.tolist(), "object_id": int(stroke.object_id), **width}


_ACTIONS: dict[str, Callable[[Document, Action], None]] = {
    "draw": Document._draw,
    "open": Document._open,
    "erase": Document._erase,
    "undo": Document._undo,
    "redo": Document._redo,
    "name": Document._name,
}
"""All that can be done: a stroke; those of a file; strokes erased; edits undone and done again; an
object called something."""
