"""How the stages tell of themselves while they run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

Progress = Callable[[int, int], None]
"""Told (frames done, frames in all) as work goes on."""
Say = Callable[[str], None]
"""Told what a person should know: why a stage is made again, that a run waits."""

PLAIN_LINE_EVERY = 10.0
"""Seconds between progress lines where standard error is no terminal."""


class Show(Protocol):
    """Shows how far things are."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


def quiet(*_: object) -> None:
    """Tells nobody."""


def say(message: str) -> None:
    """Tell a person something, on standard error."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def progress_bar(what: str, unit: str = "frames") -> Iterator[Show]:
    """A bar with rate and time left on a terminal, a plain line now and then elsewhere.

    It appears with the first frame done after a second, so quick work shows none. It is told of
    what is done, of how much there is, and perhaps of a word on it.
    """
    if not sys.stderr.isatty():
        yield _plain_lines(what, unit)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{{task.fields[rate]:.1f}} {unit}/s"),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task(what, total=None, rate=0.0, note="")
    begun = time.monotonic()
    first: list[int] = []

    def show(done: int, total: int, note: str = "") -> None:
        first.append(done) if not first else None
        elapsed = time.monotonic() - begun
        if elapsed > 1 and not bar.live.is_started:
            bar.start()
        rate = (done - first[0]) / max(elapsed, 1e-6)
        bar.update(task, completed=done, total=total, rate=rate, note=note)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()


def _plain_lines(what: str, unit: str) -> Show:
    begun = last = time.monotonic()

    def show(done: int, total: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PLAIN_LINE_EVERY:
            last = now
            about = f", {note}" if note else ""
            say(f"{what}: {done} of {total} {unit}{about}, {now - begun:.0f} s")

    return show
