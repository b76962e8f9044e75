"""The weights that ship with the package.

Each has a card beside it, ``NAME.md``: what it was trained on, by which commands, and how well it
does.
"""

from __future__ import annotations

from pathlib import Path

from vostool.checkpoints import SUFFIX
from vostool.errors import WeightsError


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
    file = packaged if packaged.is_file() else Path(model)
    if not file.is_file():
        raise WeightsError(f"{model}: no such file of weights; shipped are: {', '.join(shipped())}")
    return file
