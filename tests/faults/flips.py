"""Ways in which a file comes to be other than it was written."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path


def bit(file: Path, chance: random.Random) -> str:
    """One bit turned over."""
    content = bytearray(file.read_bytes())
    where = chance.randrange(len(content))
    content[where] ^= 1 << chance.randrange(8)
    file.write_bytes(content)
    return f"a bit of byte {where}, now {content[max(0, where - 20) : where + 20]!r}"


def byte(file: Path, chance: random.Random) -> str:
    """One byte set to any other."""
    content = bytearray(file.read_bytes())
    where = chance.randrange(len(content))
    content[where] = (content[where] + chance.randrange(1, 256)) % 256
    file.write_bytes(content)
    return f"byte {where}, now {content[max(0, where - 20) : where + 20]!r}"


def digit(file: Path, chance: random.Random) -> str:
    """One digit of a text made another: what flips in a text seldom hit, and parsers never see."""
    content = bytearray(file.read_bytes())
    places = [n for n, value in enumerate(content) if value in b"0123456789"]
    if not places:
        return byte(file, chance)
    where = chance.choice(places)
    content[where] = 48 + (content[where] - 48 + chance.randrange(1, 10)) % 10
    file.write_bytes(content)
    return f"digit {where}, now {content[max(0, where - 20) : where + 20]!r}"


def cut(file: Path, chance: random.Random) -> str:
    """Cut short, or to nothing."""
    content = file.read_bytes()
    kept = chance.choice([0, chance.randrange(len(content))])
    file.write_bytes(content[:kept])
    return f"cut to {kept} of {len(content)} bytes"


def gone(file: Path, chance: random.Random) -> str:
    """Removed."""
    file.unlink()
    return "removed"


def folder(file: Path, chance: random.Random) -> str:
    """A folder in its place."""
    file.unlink()
    file.mkdir()
    return "a folder in its place"


def swapped(file: Path, chance: random.Random) -> str:
    """Swapped with a file of the same ending beside it, or made its copy.

    Not an adapter with another adapter: both are whole, and nothing says which one was meant.
    """
    if file.suffix == ".h5":
        return cut(file, chance)
    others = sorted(f for f in file.parent.parent.rglob(f"*{file.suffix}") if f.is_file())
    same = [f for f in others if f != file and f.stat().st_size == file.stat().st_size]
    other = chance.choice(same or others)
    ours, theirs = file.read_bytes(), other.read_bytes()
    file.write_bytes(theirs)
    other.write_bytes(ours)
    return f"swapped with {other}"


FLIPS: tuple[Callable[[Path, random.Random], str], ...] = (
    bit, bit, byte, digit, cut, gone, folder, swapped,
)  # fmt: skip
