"""The weights that ship with the package.

Each has a card beside it, ``NAME.md``: what it was trained on, by which commands, and how well it
does.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from vostool.checkpoints import SUFFIX, fingerprint
from vostool.errors import WeightsError

SHA256 = re.compile(r"\b[0-9a-f]{64}\b")


def shipped() -> list[str]:
    """The names of the shipped weights, in order."""
    return sorted(file.stem for file in Path(__file__).parent.glob(f"*{SUFFIX}"))


def find_weights(model: str) -> Path:
    """The file of a name or a path.

    Args:
        model: the name of shipped weights, or a file.

    Raises:
        WeightsError: there is neither.
    """
    packaged = Path(__file__).parent / f"{model}{SUFFIX}"
    if packaged.is_file():
        check_card(packaged)
        return packaged
    file = Path(model)
    if not file.is_file():
        raise WeightsError(f"{model}: no such file of weights; shipped are: {', '.join(shipped())}")
    return file


@cache
def check_card(file: Path) -> None:
    """Make sure that a shipped file is the one that its card tells of; looked at once a process.

    Raises:
        WeightsError: it is not.
    """
    cards = "".join(
        card.read_text(encoding="utf-8", errors="replace") for card in file.parent.glob("*.md")
    )
    if fingerprint(file) not in SHA256.findall(cards):
        raise WeightsError(f"{file}: damaged; install vostool again")
