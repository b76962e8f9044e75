"""What open tabs share: one document, its masks, and what goes on.

All of it runs in the server's loop. The worker tells in its own thread, and is brought over.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vostool.errors import OutputError, ScribbleError
from vostool.page.document import Action
from vostool.page.folder import SessionFolder
from vostool.page.messages import EARLIER, LabelMap
from vostool.page.worker import Worker
from vostool.scribbles import Scribbles, parse_scribbles


class Tab:
    """What is on its way to one browser: of a frame's masks, the newest alone."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._maps: dict[tuple[int, int], LabelMap] = {}
        self._more = asyncio.Event()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        self._texts.append(json.dumps(message))
        self._more.set()

    def send_map(self, map: LabelMap) -> None:
        """Send a frame's labels."""
        key = (map.kind, map.frame)
        self._maps.pop(key, None)
        self._maps[key] = map
        self._more.set()

    async def next(self) -> str | bytes:
        """The next message; waits for it."""
        while not self._texts and not self._maps:
            self._more.clear()
            await self._more.wait()
        if self._texts:
            return self._texts.pop(0)
        return self._maps.pop(next(iter(self._maps))).to_bytes()


class Hub:
    """Takes what tabs say, keeps it, has it answered, and tells all tabs.

    Args:
        folder: keeps the document.
        clip: what tabs are told of the clip.
        names: what a scribble file may call it.

    Attributes:
        worker: makes the masks; set before the first tab comes.
    """

    worker: Worker

    def __init__(self, folder: SessionFolder, clip: dict[str, Any], names: set[str]) -> None:
        self._folder, self._clip, self._names = folder, clip, names
        self._loop: asyncio.AbstractEventLoop | None = None
        self._acting = asyncio.Lock()
        self._tabs: set[Tab] = set()
        self._ready = self._has_masks = False
        self._trouble = ""
        self._progress: dict[str, Any] = {"type": "progress", "what": "", "done": 0, "total": 0}
        self._marks: list[LabelMap] = []
        self._masks: dict[int, LabelMap] = {}
        self._earlier: dict[int, LabelMap] = {}
        self._rounds_of: dict[int, int] = {}  # how many a version of the document has

    @property
    def tabs(self) -> int:
        """How many tabs are open."""
        return len(self._tabs)

    def begin(self) -> None:
        """Have the document answered, from the loop that this is called in."""
        self._loop = asyncio.get_running_loop()
        self._ask()
        self.worker.start()

    async def join(self) -> Tab:
        """A tab comes: it is sent all there is."""
        async with self._acting:  # else the document could change in another thread meanwhile
            return self._joined()

    def _joined(self) -> Tab:
        tab = Tab()
        strokes = [drawn.as_json() for drawn in self._folder.document.strokes.values()]
        tab.send({"type": "hello", **self._clip, "ready": self._ready, "strokes": strokes})
        tab.send(self._document())
        tab.send(self._progress)
        if self._trouble:
            tab.send({"type": "trouble", "text": self._trouble})
        for map in (*self._marks, *self._earlier.values(), *self._masks.values()):
            tab.send_map(map)
        self._tabs.add(tab)
        return tab

    def leave(self, tab: Tab) -> None:
        """A tab goes."""
        self._tabs.discard(tab)

    async def take(self, tab: Tab, text: str) -> None:
        """Take a message of a tab; one that cannot be taken is answered with why."""
        id = None
        try:
            message = json.loads(text)
            if not isinstance(message, dict):
                raise ScribbleError("a message must be an object")
            id = message.get("id")
            await self._do(message)
        except (ValueError, RecursionError):
            tab.send({"type": "refused", "id": None, "text": "a message must be JSON"})
        except (ScribbleError, OutputError) as problem:
            tab.send({"type": "refused", "id": id, "text": str(problem)})

    async def _do(self, message: Action) -> None:
        what = message.get("do")
        if what == "look":
            frame = message.get("frame")
            if type(frame) is not int:
                raise ScribbleError('"frame" must be a whole number')
            self.worker.look(frame)
        elif what == "save":
            self.worker.save()
        elif what == "suggest":
            self.worker.suggest()
        elif what == "hold":
            self.worker.hold()
        elif what == "release":
            self.worker.release()
        elif what == "open":
            scribbles = parse_scribbles(message.get("scribbles"), "the file")
            scribbles.check_sequence(self._names)
            scribbles.check_against(self._clip["frames"], self._clip["size"])
            await self._act(_opened(scribbles))
        else:
            await self._act(message)

    async def _act(self, action: Action) -> None:
        """Do an action; when it is told of, it is on the disk."""
        async with self._acting:
            document = self._folder.document
            known, drawn_version = set(document.strokes), document.drawn_version
            await asyncio.to_thread(self._folder.act, action)
            document = self._folder.document
            new = [one.as_json() for id, one in document.strokes.items() if id not in known]
            self._tell({**self._document(), "strokes": new})
            if document.drawn_version != drawn_version:
                if isinstance(frame := action.get("frame"), int):
                    self.worker.look(frame)
                self._ask()

    def _ask(self) -> None:
        """Have the worker answer the document as it stands."""
        document = self._folder.document
        rounds = document.rounds
        self._rounds_of[document.drawn_version] = len(rounds)
        self._has_masks = bool(rounds) or self._folder.begun_from is not None
        if not self._has_masks:
            self._masks.clear()
            self._earlier.clear()
        names = tuple(str(self._folder.round_file(n)) for n in range(1, len(rounds) + 1))
        self.worker.want(rounds, names, document.drawn_version)

    def _document(self) -> dict[str, Any]:
        document = self._folder.document
        return {
            "type": "document",
            "version": document.drawn_version,
            "rounds": [one.ids for one in document.rounds],
            "names": document.names,
            "undo": document.can_undo,
            "redo": document.can_redo,
        }

    def _tell(self, message: dict[str, Any]) -> None:
        for tab in self._tabs:
            tab.send(message)

    def _in_loop(self, work: Callable[[], None]) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work)

    # What the worker tells, in its thread.

    def ready(self, frames: int, marks: list[LabelMap]) -> None:
        """The features are there."""

        def tell() -> None:
            self._ready, self._marks = True, marks
            self._clip["frames"] = frames
            self._tell({"type": "ready", "frames": frames})
            for tab in self._tabs:
                for map in marks:
                    tab.send_map(map)

        self._in_loop(tell)

    def mask(self, mask: LabelMap) -> None:
        """A frame's mask is made."""
        self._in_loop(lambda: self._show(mask))

    def _show(self, mask: LabelMap) -> None:
        if not self._has_masks:
            return  # of strokes that were undone meanwhile
        before = self._masks.get(mask.frame)
        rounds = self._rounds_of[mask.version]
        if before is not None and self._rounds_of[before.version] != rounds:
            earlier = replace(before, kind=EARLIER)
            self._earlier[mask.frame] = earlier
            for tab in self._tabs:
                tab.send_map(earlier)
        self._masks[mask.frame] = mask
        for tab in self._tabs:
            tab.send_map(mask)

    def progress(self, what: str, done: int, total: int) -> None:
        """Something slow goes on."""

        def tell() -> None:
            self._progress = {"type": "progress", "what": what, "done": done, "total": total}
            self._tell(self._progress)

        self._in_loop(tell)

    def suggested(self, frames: list[int], version: int) -> None:
        """Frames to draw on are found."""
        found = {"type": "suggested", "frames": frames, "version": version}
        self._in_loop(lambda: self._tell(found))

    def saved(self, version: int) -> None:
        """All outputs are written."""
        text = f"Saved in {self._folder.path}"
        self._in_loop(lambda: self._tell({"type": "saved", "version": version, "text": text}))

    def trouble(self, problem: str) -> None:
        """One line on what could not be done."""

        def tell() -> None:
            if problem or self._trouble:
                self._trouble = problem
                self._tell({"type": "trouble", "text": problem})

        self._in_loop(tell)


def _opened(scribbles: Scribbles) -> Action:
    """The action of a file's strokes: they have new ids."""
    strokes = [
        {
            "id": uuid.uuid4().hex,
            "frame": frame,
            "path": stroke.path.tolist(),
            "object_id": stroke.object_id,
            "width": stroke.width,
        }
        for frame, here in sorted(scribbles.strokes.items())
        for stroke in here
    ]
    return {"do": "open", "strokes": strokes}
