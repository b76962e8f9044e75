"""Making a stage: aside, chunk by chunk, resumable, and moved into place when whole.

A run may be killed at any moment, and so may the machine. What is left is a folder aside whose
``progress.json`` tells how many frames are whole; the next run goes on from there, and rewrites
whatever lies beyond. Chunks are flushed to the disk before the record that tells of them, and what
a record tells of is looked at again before it is believed: every file's length, and the last
chunk's bytes. Only a rename makes the stage visible.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from filelock import FileLock, Timeout

from vostool.files import (
    exchange,
    flush,
    flush_folder,
    flush_tree,
    parse_json,
    put,
    unwritable,
)
from vostool.pyramid import Pyramid
from vostool.store.cache_key import CacheKey
from vostool.store.layout import GROUP, clip_folder, lock_file, partial_folder
from vostool.store.making import chunks_of, complete, extend, lay_out, level_names
from vostool.store.manifest import NAME as MANIFEST
from vostool.store.manifest import Entry, Manifest
from vostool.store.stage import NOT_A_STAGE, ClipMetadata, Features, Stage
from vostool.store.stage_folder import StageFolder

PROGRESS = "progress.json"
WRITTEN = "written.jsonl"
STATE = "state.npy"
OF_THE_MAKING = (PROGRESS, WRITTEN, STATE, ".partial", ".tmp")
"""How the names of files end that are of no use in a finished stage; ``.partial`` are zarr's."""


@contextmanager
def clip_lock(store: Path, name: str, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a clip for writing; the operating system lets go of it even if the run is killed.

    Args:
        store: the store's folder.
        name: the clip's name.
        on_wait: called once if another run holds the clip and this one has to wait.

    Raises:
        OutputError: the store cannot be written to.
    """
    file = lock_file(store, name)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            on_wait()
            lock.acquire()
    except OSError as problem:
        raise unwritable(store, problem) from problem
    try:
        yield
    finally:
        lock.release()


class StageWriter:
    """Writes one stage of one clip. Hold the clip's lock meanwhile.

    Args:
        store: the store's folder.
        name: the clip's name.
        network: whose features they are.
        stage: the stage's name.
        cache_key: what the stage is made from. An unfinished attempt of an equal key is taken up.
        has_state: whether a block needs the state that the block before it left.
        begun: when the work on the stage began, by ``time.perf_counter``.

    Attributes:
        done: how many frames are written already.
    """

    def __init__(
        self,
        store: Path,
        name: str,
        network: str,
        stage: str,
        cache_key: CacheKey,
        *,
        has_state: bool = False,
        begun: float | None = None,
    ) -> None:
        self.store, self.name, self.stage, self.cache_key = store, name, stage, cache_key
        self._has_state = has_state
        self._place = clip_folder(store, name) / network / stage
        self.folder = partial_folder(store, name) / network / stage
        self._begun = time.perf_counter() if begun is None else begun
        self._written: dict[str, Entry] = {}
        self.done, self._seconds_before = self._resume()

    @property
    def seconds(self) -> float:
        """The work that the stage has taken so far, that of earlier attempts included."""
        return self._seconds_before + time.perf_counter() - self._begun

    def begin(self, pyramid: Pyramid, metadata: ClipMetadata) -> None:
        """Lay the arrays out, unless an earlier attempt did.

        Raises:
            OutputError: the store cannot be written to.
        """
        if self.done:
            return
        try:
            self._written = {}
            shutil.rmtree(self.folder, ignore_errors=True)
            group = zarr.open_group(self.folder, mode="w")
            lay_out(group, pyramid, self.cache_key, metadata)
        except OSError as problem:
            raise unwritable(self.store, problem) from problem

    def append(self, features: Features, state: npt.NDArray[Any] | None = None) -> None:
        """Write the next frames: whole chunks, except at the end of the clip.

        Args:
            features: (frames, h, w, C) a level.
            state: what the next block needs from this one; :meth:`state` gives it back.

        Raises:
            OutputError: the disk is full or read-only.
        """
        stop = self.done + len(features[0])
        try:
            group = zarr.open_group(self.folder, mode="r+")
            self._note_chunks(level_names(group), extend(group, self.done, features))
            record = {"key": self.cache_key.digest, "frames": stop, "seconds": self.seconds}
            if state is not None:
                tmp = self.folder / f"tmp.{STATE}"
                np.save(tmp, state)
                record["state"] = astuple(Entry.of(tmp.read_bytes()))
                put(tmp, self.folder / f"{stop}.{STATE}")
            self._write(PROGRESS, {**record, "layout": self._layout()})
            if state is not None:
                (self.folder / f"{self.done}.{STATE}").unlink(missing_ok=True)
        except OSError as problem:
            raise unwritable(self.store, problem) from problem
        self.done = stop

    def _note_chunks(self, names: Sequence[str], chunks: Sequence[str]) -> None:
        """Flush some chunks, and note what is in each."""
        rows = []
        for path in chunks:
            entry = Entry.of((self.folder / path).read_bytes())
            self._written[path] = entry
            rows.append(json.dumps([path, entry.length, entry.crc32c]))
            flush(self.folder / path)
        for name in names:
            flush(self.folder / name / GROUP)
            flush_folder(self.folder / name)
        with (self.folder / WRITTEN).open("a") as stream:
            stream.write("".join(f"{row}\n" for row in rows))
        flush(self.folder / WRITTEN)

    def _write(self, name: str, content: Any) -> None:
        tmp = self.folder / f"{name}.tmp"
        tmp.write_text(json.dumps(content))
        put(tmp, self.folder / name)

    def state(self) -> npt.NDArray[Any] | None:
        """The state that the last finished block left, if an earlier attempt left any."""
        file = self.folder / f"{self.done}.{STATE}"
        return np.load(file, allow_pickle=False) if self.done else None

    def finish(self) -> Stage:
        """Move the stage into its place, over any earlier one.

        Raises:
            OutputError: the store cannot be written to.
        """
        place = self._place
        old = self.folder.with_name(f"{self.stage}.replaced")
        try:
            group = zarr.open_group(self.folder, mode="r+")
            complete(group, self.done, self.seconds)
            # Another attempt goes on from the record, so it stays until the manifest is there.
            (self.folder / f"{MANIFEST}.tmp").write_text(self._manifest().as_json())
            flush_tree(self.folder)
            put(self.folder / f"{MANIFEST}.tmp", self.folder / MANIFEST)
            for left in list(self.folder.rglob("*")):  # by this run and by those that were killed
                if left.name.endswith(OF_THE_MAKING):
                    left.unlink()
            for group_folder in (place.parent.parent, place.parent):
                _make_group(group_folder)
            shutil.rmtree(old, ignore_errors=True)
            if place.exists():
                exchange(self.folder, place)
                os.replace(self.folder, old)
            else:
                os.replace(self.folder, place)
            flush_folder(place.parent)
            flush_folder(self.folder.parent)
            for folder in (place.parent.parent, self.store):  # which may be as new
                flush_folder(folder)
            with suppress(PermissionError):
                flush_folder(self.store.absolute().parent)
            shutil.rmtree(old, ignore_errors=True)
            with suppress(OSError):  # another stage is in the making there
                self.folder.parent.rmdir()
                self.folder.parent.parent.rmdir()
        except OSError as problem:
            raise unwritable(self.store, problem) from problem
        return Stage(StageFolder(place), self.name)

    def _manifest(self) -> Manifest:
        """Of the stage as it is to be: chunks as they were written, metadata as they are."""
        files = dict(self._written)
        for file in self.folder.rglob(GROUP):
            path = file.relative_to(self.folder).as_posix()
            files[path] = Entry.of(file.read_bytes())
        return Manifest(files)

    def _resume(self) -> tuple[int, float]:
        """The whole frames that an earlier attempt under this key has left, and its seconds."""
        nothing = 0, 0.0
        try:
            record = parse_json((self.folder / PROGRESS).read_text())
            key, frames, seconds = record["key"], int(record["frames"]), float(record["seconds"])
            if key != self.cache_key.digest or record["layout"] != self._layout():
                return nothing
            if self._has_state:
                state = (self.folder / f"{frames}.{STATE}").read_bytes()
                if Entry.of(state) != Entry(*record["state"]):
                    return nothing
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return nothing
        self._written = self._read_written()
        return (frames, seconds) if self._chunks_are_whole(frames) else nothing

    def _layout(self) -> str:
        """A hash over what the metadata tell, but for the frames so far and how they were made.

        Raises:
            OSError, ValueError, TypeError, KeyError, AttributeError: they are not whole.
        """
        digest = hashlib.blake2b(digest_size=16)
        for file in sorted(self.folder.rglob(GROUP)):
            stored = parse_json(file.read_text())
            if "shape" in stored:
                stored["shape"] = stored["shape"][1:]
            else:
                stored["attributes"].pop("frames", None)
                stored["attributes"]["stamp"].pop("made_by")
            row = [file.relative_to(self.folder).as_posix(), stored]
            digest.update(json.dumps(row, sort_keys=True).encode())
        return digest.hexdigest()

    def _read_written(self) -> dict[str, Entry]:
        """What earlier attempts noted of chunks; a note that was cut short counts for nothing."""
        written = {}
        with suppress(OSError):
            for row in (self.folder / WRITTEN).read_text(errors="replace").splitlines():
                with suppress(ValueError, TypeError):
                    path, length, crc32c = parse_json(row)
                    written[str(path)] = Entry(int(length), int(crc32c))
        return written

    def _chunks_are_whole(self, frames: int) -> bool:
        """Whether metadata and chunks are as the record tells, and the last chunks' bytes, too."""
        try:
            group = zarr.open_group(self.folder, mode="r")
            names = level_names(group)
            arrays = [group[name] for name in names]
            if not all(isinstance(a, zarr.Array) and a.shape[0] >= frames for a in arrays):
                return False
            chunks = chunks_of(names, 0, frames)
            self._written = {path: self._written[path] for level in chunks for path in level}
            manifest = Manifest(self._written)
            manifest.check_presence(self.folder)
            for level in chunks:
                content = (self.folder / level[-1]).read_bytes()
                manifest.check(level[-1], content, str(self.folder))
        except NOT_A_STAGE:
            return False
        return True


def _make_group(folder: Path) -> None:
    """Make a folder a zarr group, unless it is one; one that a power cut has hit is mended."""
    try:
        zarr.open_group(folder, mode="r")
    except NOT_A_STAGE:
        (folder / GROUP).unlink(missing_ok=True)
        zarr.open_group(folder, mode="a")
        flush(folder / GROUP)
