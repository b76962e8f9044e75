"""The shim's log: each operation that changed a file or a folder, in order."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

_HEAD = struct.Struct("<IIQQqIII")


class Kind(IntEnum):
    """As the shim numbers them."""

    CREATE, SIZE, WRITE, RENAME, UNLINK, MKDIR, RMDIR, LINK, SYNC, SYMLINK = range(1, 11)


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        number: its own, from 1; those that failed or changed nothing have numbers, too.
        kind: what it is.
        flags: of renameat2.
        inode: of the file or the folder.
        offset: of a write; or the size that a file is cut to.
        first, second: paths; a rename and a link have both.
        data: what was written.
    """

    number: int
    kind: Kind
    flags: int
    inode: int
    offset: int
    first: str
    second: str
    data: bytes


def read_log(file: Path) -> list[Operation]:
    """Read what the shim wrote."""
    content, at, operations = file.read_bytes(), 0, []
    while at < len(content):
        kind, flags, number, inode, offset, *lengths = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        parts = []
        for length in lengths:
            parts.append(content[at : at + length])
            at += length
        first, second = parts[0].decode(), parts[1].decode()
        operations.append(
            Operation(number, Kind(kind), flags, inode, offset, first, second, parts[2])
        )
    return operations
