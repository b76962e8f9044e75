"""Which file system a folder lies on, and how far a lock on it reaches.

Locks are ``flock``. On a disk of this machine they hold for this machine; on a network's file
system they hold for all that mount it, or for this machine alone, as it is mounted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

TABLE = Path("/proc/self/mounts")
DISKS = frozenset(
    {"apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"}
)
"""File systems that one machine has to itself."""
SHARED = frozenset({"ceph", "gpfs", "nfs4"})
"""File systems on which a lock holds for every machine."""


@dataclass(frozen=True)
class Mount:
    """What a folder lies on.

    Attributes:
        kind: the file system, such as ``nfs4``.
        options: that it is mounted with.
    """

    kind: str
    options: frozenset[str]


def find_mount(place: Path, table: str | None = None) -> Mount | None:
    """What a folder lies on; None where the system does not tell.

    Args:
        place: the folder, whether it is there or not.
        table: as Linux tells what is mounted; by default as it is.
    """
    if table is None:
        try:
            table = TABLE.read_text(errors="replace")
        except OSError:
            return None
    found: tuple[int, Mount | None] = (-1, None)
    for line in table.splitlines():
        _, where, kind, options, *_ = [*line.split(" "), "", "", "", ""]
        root = Path(re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), where))
        if place.resolve().is_relative_to(root) and len(root.parts) >= found[0]:
            found = len(root.parts), Mount(kind, frozenset(options.split(",")))
    return found[1]


def beyond_locks(place: Path, table: str | None = None) -> str | None:
    """Why a lock in a folder may not hold other machines off, in a line; None where it does.

    Args:
        place: the folder, whether it is there or not.
        table: as of :func:`find_mount`.
    """
    mount = find_mount(place, table)
    if mount is None:
        return f"whether locks at {place} hold between machines, this system does not tell"
    kind, options = mount.kind, mount.options
    if kind in DISKS:
        return f"{place}: on {kind}, a disk of this machine; others' locks there are not seen here"
    if kind == "nfs" and options & {"nolock", "local_lock=all", "local_lock=flock"}:
        return f"{place}: on nfs without locks between machines; mount it without {_why(options)}"
    if kind == "lustre" and "flock" not in options:
        return f"{place}: on lustre without locks between machines; mount it with flock"
    if kind in SHARED or kind in ("nfs", "lustre"):
        return None
    return f"{place}: on {kind}; whether its locks hold between machines is not known"


def _why(options: frozenset[str]) -> str:
    return min(options & {"nolock", "local_lock=all", "local_lock=flock"})
