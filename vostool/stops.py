"""A run that is told to stop, by Control-C or SIGTERM: at any moment it ends in the same way.

A stop is an exception that goes up from wherever the run is, so that what is half-made is removed
on its way. There are moments when none may be raised: while a module is loaded, for a library's own
start, in C++, ends the process at one (torch's calls ``std::terminate``) or makes another error of
it; and within what is :func:`unstopped`. Then the stop waits, and is tried again. And whatever
comes of one, the exit status is the stop's.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from types import CodeType, FrameType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)
AGAIN = 0.02
"""Seconds after which a stop that had to wait is tried again."""
ONE = 1.0
"""Seconds in which further signals mean the same stop: ``timeout`` sends two of each."""
LOADING = "<frozen importlib"
"""How the name of Python's own code begins that loads modules."""


class Stop(SystemExit):
    """What a stop raises; its ``code`` is the exit status, 128 and the signal's number."""


def unstopped(work: Callable[P, T]) -> Callable[P, T]:
    """Let stops wait until a function has returned: it is short, and leaves nothing half-done."""

    def whole(*args: P.args, **kwargs: P.kwargs) -> T:
        return work(*args, **kwargs)

    _WHOLE.add(whole.__code__)
    return wraps(work)(whole)


_WHOLE: set[CodeType] = set()
"""By which the stack tells that something unstopped runs; other threads do not matter here."""


def run_stoppable(work: Callable[[], None]) -> None:
    """Do a program's work, as the last thing in its main thread, and answer to SIGINT and SIGTERM.

    After it a stop comes too late to matter, and is ignored. Signals that are ignored already, as
    ``nohup`` and a shell's ``&`` leave them, stay so.

    Where there was one the process ends here, with its status, whatever else was raised.
    """
    stops = _Stops()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stops.come)
    told, sys.unraisablehook = sys.unraisablehook, stops.unraisable
    try:
        work()
    except BaseException:
        if not stops.status:
            raise
    finally:
        stops.end()
    if stops.status:
        # No traceback holds the frames any more, so all that they held open is closed. Of threads
        # that were left in their work Python would tell at its own end, in many lines.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # closed, or not there
                stream.flush()
        os._exit(stops.status)
    sys.unraisablehook = told


class _Stops:
    """The handlers of a program's signals.

    Attributes:
        status: that the program is to end with; 0 where nothing has stopped it.
    """

    def __init__(self) -> None:
        self.status = 0
        self._raised_at = -ONE
        self._ended = False

    def come(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if not self._ended and time.monotonic() - self._raised_at >= ONE:
            self.status = self.status or 128 + number
            self._raise(frame)

    def unraisable(self, problem: sys.UnraisableHookArgs) -> None:
        """Take a stop that could not go up, for it was raised where objects are freed."""
        if isinstance(problem.exc_value, Stop):
            self._try_again()
        elif not self.status:  # else it comes of what the stop has left
            sys.__unraisablehook__(problem)

    def end(self) -> None:
        """Ignore stops from now on: Python itself would give the signals back to the system."""
        self._ended = True
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _raise(self, frame: FrameType | None) -> None:
        if _is_unfit(frame) and self._try_again():
            return
        self._raised_at = time.monotonic()
        raise Stop(self.status)

    def _come_again(self, _: int, frame: FrameType | None) -> None:
        if not self._ended:
            self._raise(frame)

    def _try_again(self) -> bool:
        """Raise the stop a little later, where the system has timers."""
        if not hasattr(signal, "setitimer"):
            return False
        signal.signal(signal.SIGALRM, self._come_again)
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
        return True


def _is_unfit(frame: FrameType | None) -> bool:
    """Whether nothing may be raised there: a module is loaded, or something unstopped runs."""
    while frame is not None:
        if frame.f_code in _WHOLE or frame.f_code.co_filename.startswith(LOADING):
            return True
        frame = frame.f_back
    return False
