"""How far a lock reaches is told as the folder is mounted: who believes it may lose hours."""

from __future__ import annotations

from pathlib import Path

import pytest

from vostool.mounts import beyond_locks, find_mount

TABLE = r"""/dev/sda1 / ext4 rw,relatime 0 0
server:/home /home nfs4 rw,vers=4.2,local_lock=none 0 0
server:/old /home/old nfs rw,vers=3,nolock 0 0
server:/three /three nfs rw,vers=3,local_lock=none 0 0
oss:/scratch /scratch lustre rw,flock,lazystatfs 0 0
oss:/fast /fast lustre rw,localflock 0 0
me@there:/x /mnt/with\040room fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("/data/store", "on ext4, a disk of this machine"),
        ("/home/me/store", None),
        ("/home/old/store", "on nfs without locks between machines; mount it without nolock"),
        ("/three", None),
        ("/scratch/store", None),
        ("/fast/store", "on lustre without locks between machines; mount it with flock"),
        ("/mnt/with room/store", "on fuse.sshfs; whether its locks hold"),
    ],
)
def test_how_far_locks_reach(place: str, told: str | None) -> None:
    found = beyond_locks(Path(place), TABLE)
    assert found is None if told is None else found is not None and told in found
    assert found is None or found.startswith(f"{place}: ")


def test_this_machine_tells(tmp_path: Path) -> None:
    mount = find_mount(tmp_path)
    assert mount is None or mount.kind
    assert find_mount(tmp_path, "") is None
