"""Where a session lies on the disk: each action before it is answered, each round as DAVIS JSON.

``actions.jsonl`` is the truth: a line on what was drawn on, then a line an action, each on the disk
before anybody is told of it. A line that a killed server was writing is no action, for nobody was
told of it. The rounds beside it are made of it, for ``vostool adapt``.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from vostool.adapter import Adapter
from vostool.errors import OutputError, ScribbleError
from vostool.files import read_bounded, replacing, unwritable
from vostool.page.document import Action, Document
from vostool.version import __version__

ACTIONS = "actions.jsonl"
BEGUN_FROM = "begun-from.h5"
"""The adapter that the session goes on from, if it does."""
ADDRESS = "address.json"
"""Where the page was to be found last, so that open tabs find it again."""
LOCK = ".lock"
FRAMES = "frames"
"""The folder of the clip's frames as browsers show them."""
MASKS, OVERLAY, ADAPTER = "masks", "overlay.mp4", "adapter.h5"
"""What is saved from the page."""
FORMAT = 1


@dataclass(frozen=True)
class Subject:
    """What is drawn on.

    Attributes:
        clip: its name in the store.
        fingerprint: of its frames.
        frames: how many there are.
        size: (H, W) of each.
    """

    clip: str
    fingerprint: str
    frames: int
    size: tuple[int, int]


@dataclass(frozen=True)
class Address:
    """Where a page is.

    Attributes:
        port: that it listens on.
        token: without which nobody is answered.
    """

    port: int
    token: str


@contextmanager
def open_folder(path: Path, subject: Subject) -> Iterator[SessionFolder]:
    """Hold a session's folder: a new one, or one that was begun on the same clip.

    Args:
        path: the folder; made if need be.
        subject: what is drawn on.

    Raises:
        OutputError: it holds what vostool did not put there, another server holds it, or it cannot
            be written.
        ScribbleError: it was begun on another clip, or its file is broken.
    """
    try:
        if path.is_dir() and not (path / ACTIONS).exists() and any(path.iterdir()):
            raise OutputError(
                f"{path}: holds files, and no session; name another folder with --session"
            )
        path.mkdir(parents=True, exist_ok=True)
        with FileLock(path / LOCK, timeout=0):
            yield SessionFolder(path, subject)
    except Timeout as problem:
        raise OutputError(
            f"{path}: another vostool scribble has it open; use its page, or name another folder "
            "with --session"
        ) from problem


class SessionFolder:
    """A session's folder: see :func:`open_folder`.

    Attributes:
        path: the folder.
        document: what has been drawn.
    """

    def __init__(self, path: Path, subject: Subject) -> None:
        self.path = path
        self._subject, self._file = subject, path / ACTIONS
        self._written: dict[int, tuple[str, ...]] = {}
        if not self._file.exists():
            head = {"format": FORMAT, "version": __version__, **asdict(subject)}
            with _writing(self._file), replacing(self._file) as made:
                made.write_text(json.dumps(head) + "\n")
        self.document = self._read()
        self._write_rounds()

    def act(self, action: Action) -> None:
        """Do an action; when this returns it is on the disk.

        Raises:
            ScribbleError: it cannot be done.
            OutputError: it cannot be written, and was not done.
        """
        self.document.act(action)
        length = self._file.stat().st_size
        try:
            with _writing(self._file), self._file.open("ab") as stream:
                stream.write(json.dumps(action).encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            self._write_rounds()
        except OutputError:
            os.truncate(self._file, length)
            self.document = self._read()
            raise

    def round_file(self, number: int) -> Path:
        """Where a round lies; they count from 1."""
        return self.path / f"round-{number:03d}.json"

    def begin_from(self, adapter: Path) -> None:
        """Keep a copy of the adapter that the session goes on from.

        Raises:
            AdapterError: it is broken.
            OutputError: the session has begun from another, or from none.
        """
        Adapter.read(adapter)
        kept, content = self.path / BEGUN_FROM, adapter.read_bytes()
        if kept.exists() and kept.read_bytes() == content:
            return
        if kept.exists() or self.document.version:
            raise OutputError(
                f"{self.path}: has begun {'from another adapter' if kept.exists() else 'anew'}; "
                "leave --adapter out, or name another folder with --session"
            )
        with _writing(kept), replacing(kept) as made:
            made.write_bytes(content)

    @property
    def begun_from(self) -> Path | None:
        """The adapter that the session goes on from, if it does."""
        kept = self.path / BEGUN_FROM
        return kept if kept.exists() else None

    def address(self) -> Address:
        """Where the page was to be found last; port 0 and a new token if it never was."""
        try:
            known = json.loads((self.path / ADDRESS).read_text())
            return Address(int(known["port"]), str(known["token"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Address(0, secrets.token_urlsafe(24))

    def keep_address(self, address: Address) -> None:
        """Remember where the page is; nobody else may read it."""
        file = self.path / ADDRESS
        with _writing(file), replacing(file) as made:
            made.touch(mode=0o600)
            made.write_text(json.dumps(asdict(address)) + "\n")

    def _read(self) -> Document:
        """The document of the file's actions; a line without an end is cut off."""
        content = read_bounded(self._file)
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self._file, whole)
        lines = content[:whole].splitlines()
        self._check_head(lines[0] if lines else b"")
        document = Document(self._subject.frames)
        for number, line in enumerate(lines[1:], 2):
            try:
                document.act(json.loads(line))
            except (ValueError, RecursionError, ScribbleError) as problem:
                raise ScribbleError(
                    f"{self._file}: line {number} is broken ({problem}); remove it, and go on "
                    "without it"
                ) from problem
        return document

    def _check_head(self, line: bytes) -> None:
        try:
            head = json.loads(line)
            begun_on = head["fingerprint"]
            if head["format"] != FORMAT:
                raise ScribbleError(
                    f"{self._file}: has format {head['format']}, this vostool reads {FORMAT}; "
                    "name another folder with --session"
                )
        except (ValueError, KeyError, TypeError) as problem:
            raise ScribbleError(
                f"{self._file}: is no session's file; name another folder with --session"
            ) from problem
        if begun_on != self._subject.fingerprint:
            raise ScribbleError(
                f"{self.path}: was drawn on other frames than those of {self._subject.clip}; name "
                "another folder with --session"
            )

    def _write_rounds(self) -> None:
        """Bring the rounds' files to what stands."""
        rounds = dict(enumerate(self.document.rounds, 1))
        for number, one in rounds.items():
            if self._written.get(number) != one.ids:
                file = self.round_file(number)
                with _writing(file), replacing(file) as made:
                    made.write_text(json.dumps(one.as_davis(self._subject.clip)) + "\n")
                self._written[number] = one.ids
        number = len(rounds) + 1
        while (file := self.round_file(number)).exists():
            self._written.pop(number, None)
            with _writing(file):
                file.unlink()
            number += 1


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise unwritable(file, problem) from problem
