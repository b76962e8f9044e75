"""A disk that forgets: what can be on it after a power cut, given the operations before.

The model is POSIX at its strictest, so that what survives it survives ext4, XFS and the others.

* A file's content is sure after an fsync of that file. Before, any of its unsynced bytes may be
  there, or not, or be zeros.
* A name is sure after an fsync of its folder, and not after one of the file alone, though ext4 is
  kinder with new files.
* A rename is one step, also between two folders: the name is in one of them, never in neither.
  All file systems with a journal hold to this.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Union

from tests.faults.recording import Kind, Operation

EXCHANGE = 2
"""Of renameat2."""


@dataclass(eq=False)
class File:
    """A file: its content now, and what of it is sure."""

    now: bytearray = field(default_factory=bytearray)
    sure: bytes = b""


@dataclass(eq=False)
class Folder:
    """A folder: its names now, and those that are sure."""

    now: dict[str, Node] = field(default_factory=dict)
    sure: dict[str, Node] = field(default_factory=dict)


Node = Union[File, Folder]  # noqa: UP007
Tree = dict[str, Union[bytes, "Tree"]]
"""What is laid out: a file's bytes, a folder's tree."""
Change = list[tuple[Folder, str, Node | None]]
"""Names that one rename changes in one step: in a folder, a name, and what it is then."""


class Disk:
    """What is and what is sure to be on a disk, one operation after the other.

    Args:
        root: the folder that is watched; all that it holds now is sure.
    """

    def __init__(self, root: Path) -> None:
        self._root_path = str(root)
        self._by_inode: dict[int, Node] = {}
        self.root = self._scan(root)
        self._between: list[Change] = []  # renames between two folders of which neither is synced
        self._last: tuple[File, bytes, int, bytes] | None = None

    def _scan(self, place: Path) -> Folder:
        folder = Folder()
        for entry in os.scandir(place):
            node: Node
            if entry.is_dir(follow_symlinks=False):
                node = self._scan(Path(entry.path))
            else:
                content = Path(entry.path).read_bytes()
                node = File(bytearray(content), content)
            self._by_inode[entry.inode()] = node
            folder.now[entry.name] = node
        folder.sure = dict(folder.now)
        self._by_inode[os.stat(place).st_ino] = folder
        return folder

    def _at(self, path: str) -> tuple[Folder, str]:
        parts = path[len(self._root_path) :].strip("/").split("/")
        folder = self.root
        for part in parts[:-1]:
            node = folder.now[part]
            assert isinstance(node, Folder)
            folder = node
        return folder, parts[-1]

    def apply(self, operation: Operation) -> None:
        """Let an operation happen."""
        kind = operation.kind
        if kind in (Kind.CREATE, Kind.MKDIR):
            folder, name = self._at(operation.first)
            made: Node = File() if kind is Kind.CREATE else Folder()
            folder.now[name] = self._by_inode[operation.inode] = made
        elif kind is Kind.WRITE:
            file = self._file(operation)
            start, end = operation.offset, operation.offset + len(operation.data)
            self._last = file, bytes(file.now), start, operation.data
            file.now.extend(bytes(max(0, start - len(file.now))))
            file.now[start:end] = operation.data
        elif kind is Kind.SIZE:
            file, self._last = self._file(operation), None
            del file.now[operation.offset :]
            file.now.extend(bytes(operation.offset - len(file.now)))
        elif kind is Kind.RENAME:
            self._rename(operation)
        elif kind is Kind.LINK:
            folder, name = self._at(operation.second)
            folder.now[name] = self._by_inode[operation.inode]
        elif kind in (Kind.UNLINK, Kind.RMDIR):
            folder, name = self._at(operation.first)
            del folder.now[name]
        elif kind is Kind.SYNC:
            node = self._by_inode[operation.inode]
            if isinstance(node, File):
                node.sure = bytes(node.now)
                if self._last is not None and self._last[0] is node:
                    self._last = None  # it is whole on the disk, and can no more be torn
            else:
                self._sync(node)
        else:
            raise AssertionError(f"{kind} is not simulated")

    def _file(self, operation: Operation) -> File:
        file = self._by_inode[operation.inode]
        assert isinstance(file, File)
        return file

    def _rename(self, operation: Operation) -> None:
        (here, old), (there, new) = self._at(operation.first), self._at(operation.second)
        node = here.now.pop(old)
        if operation.flags & EXCHANGE:
            here.now[old] = there.now[new]
        there.now[new] = node
        if here is not there:
            self._between.append([(here, old, here.now.get(old)), (there, new, node)])

    def _sync(self, folder: Folder) -> None:
        for change in list(self._between):
            if any(place is folder for place, _, _ in change):
                self._between.remove(change)
                for place, name, node in change:
                    if node is None:
                        place.sure.pop(name, None)
                    else:
                        place.sure[name] = node
        folder.sure = dict(folder.now)

    def now(self) -> Tree:
        """What is there, if nothing is lost."""
        return _tree(self.root, {}, lambda node: node.now, lambda file: bytes(file.now))

    def states(self, chance: random.Random) -> Iterator[tuple[str, Tree]]:
        """What may be on the disk, were the power cut now: some states by name."""
        torn = {}
        if self._last is not None:
            file, before, start, data = self._last
            half = bytearray(before)
            half.extend(bytes(max(0, start - len(half))))
            half[start : start + len(data) // 2] = data[: len(data) // 2]
            torn[file] = bytes(half)
        yield "all unsynced lost", _tree(self.root, {}, lambda f: f.sure, lambda f: f.sure)
        yield (
            "names there, content not",
            _tree(self.root, {}, lambda f: f.now, lambda f: f.sure),
        )
        yield "names there, content zeros", _tree(self.root, {}, lambda f: f.now, _zeros)
        yield (
            "last write torn",
            _tree(self.root, torn, lambda f: f.now, lambda f: bytes(f.now)),
        )

        def some(file: File) -> bytes:
            cut = bytes(file.now[: len(file.now) // 2]) if file.sure != file.now else file.sure
            return chance.choice([file.sure, bytes(file.now), _zeros(file), cut])

        yield (
            "any mixture",
            _tree(self.root, {}, lambda f: f.sure if chance.random() < 0.3 else f.now, some),
        )


def _zeros(file: File) -> bytes:
    """As long as it is now, with zeros for what is not sure."""
    size = len(file.now)
    return file.sure[:size] + bytes(max(0, size - len(file.sure)))


def _tree(folder: Folder, instead: Mapping[File, bytes], names, content) -> Tree:  # type: ignore[no-untyped-def]
    tree: Tree = {}
    for name, node in names(folder).items():
        if isinstance(node, Folder):
            tree[name] = _tree(node, instead, names, content)
        else:
            tree[name] = instead[node] if node in instead else content(node)
    return tree


def tree_of(place: Path) -> Tree:
    """What a real folder holds."""
    return {
        entry.name: tree_of(Path(entry.path)) if entry.is_dir() else Path(entry.path).read_bytes()
        for entry in os.scandir(place)
    }


def lay_out(tree: Tree, place: Path) -> None:
    """Make a real folder hold a tree and nothing else."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name, node in tree.items():
        if isinstance(node, dict):
            lay_out(node, place / name)
        else:
            (place / name).write_bytes(node)
