"""How the stages tell of themselves while they run."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Told (frames done, frames in all) as work goes on."""
Say = Callable[[str], None]
"""Told what a person should know: why a stage is made again, that a run waits."""


def quiet(*_: object) -> None:
    """Tells nobody."""
