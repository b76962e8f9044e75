"""How a session's masks are made: as it was begun, whenever it is gone on with.

The same strokes under another preset are other masks; so what was asked for when the session was
begun is kept beside them, and holds as soon as something is drawn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from vostool.errors import OutputError
from vostool.files import read_bounded, replacing, unwritable
from vostool.page.folder import ACTIONS

SETTINGS = "settings.json"

Settings: TypeAlias = Mapping[str, Any]
"""What is not left to its default of :meth:`vostool.opening.OpenClip.session`, by argument."""


def settle(folder: Path, asked: Settings) -> Settings:
    """What holds for a session: what it was begun with, if something is drawn, or what is asked.

    Args:
        folder: the session's, whether it is there or not.
        asked: what is asked for now; what is not asked for holds as it was.

    Raises:
        OutputError: something else is asked for than it was begun with, or the file is broken.
    """
    if not _is_drawn_on(folder):
        return asked
    begun = _read(folder / SETTINGS)
    for argument, value in asked.items():
        if begun.get(argument) != value:
            flag = f"--{argument.removeprefix('network_')}"
            raise OutputError(
                f"{folder}: was begun with {flag} {begun.get(argument, 'left out')}; leave it so, "
                "or name another folder with --session"
            )
    return begun


def keep(folder: Path, settings: Settings) -> None:
    """Note in a session's folder what holds for it.

    Raises:
        OutputError: the folder cannot be written to.
    """
    try:
        with replacing(folder / SETTINGS) as made:
            made.write_text(json.dumps(settings) + "\n")
    except OSError as problem:
        raise unwritable(folder / SETTINGS, problem) from problem


def _is_drawn_on(folder: Path) -> bool:
    actions = folder / ACTIONS
    return actions.is_file() and read_bounded(actions).count(b"\n") > 1  # the first says of what


def _read(file: Path) -> Settings:
    if not file.exists():
        return {}
    try:
        settings: Settings = dict(json.loads(read_bounded(file)))
    except (ValueError, TypeError) as problem:
        raise OutputError(f"{file}: is broken ({problem}); remove it to take defaults") from problem
    return settings
