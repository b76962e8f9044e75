"""Making a stage in a bucket, chunk by chunk, resumable; it appears with its stamp, written last.

There is no rename, so nothing is ever written over that a reader may be reading: each run writes
objects under a name of its own, ``NAME.zarr/NETWORK/STAGE/RUN/…``, once, and the manifest tells
where each file of the stage lies. A run may be killed at any moment. What is left is a record of
the chunks that are whole, and the next run goes on from there, as it does on a disk: when each
object's length is right, and the last chunks' bytes. Record and manifest are swapped for what they
were by their ETags: a run that has lost its clip to another changes neither.
"""

from __future__ import annotations

import io
import json
import secrets
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from vostool.errors import StoreError
from vostool.files import parse_json, sealed, unsealed
from vostool.pyramid import Pyramid
from vostool.store.cache_key import CacheKey
from vostool.store.making import chunks_of, complete, extend, lay_out, level_names
from vostool.store.manifest import NAME as MANIFEST
from vostool.store.manifest import Entry, Manifest
from vostool.store.s3.bucket import Bucket, ConflictError
from vostool.store.s3.lease import Lease
from vostool.store.s3.stage_objects import StageObjects, source_place
from vostool.store.stage import NOT_A_STAGE, ClipMetadata, Features, Stage


class ObjectStageWriter:
    """Writes one stage of one clip; see :class:`vostool.store.medium.Writer`.

    Args:
        bucket: the store.
        files: the stage's place.
        record: the key of the record of an unfinished attempt.
        clip_name: the clip.
        cache_key: what the stage is made from. An unfinished attempt of an equal key is taken up.
        lease: by which the clip is held.
        has_state: whether a block needs the state that the block before it left.
        begun: when the work on the stage began, by ``time.perf_counter``.

    Attributes:
        done: how many frames are written already.
    """

    def __init__(
        self,
        bucket: Bucket,
        files: StageObjects,
        record: str,
        clip_name: str,
        cache_key: CacheKey,
        lease: Lease,
        *,
        has_state: bool,
        begun: float | None,
    ) -> None:
        self._bucket, self._files, self._clip_name = bucket, files, clip_name
        self._cache_key, self._lease, self._has_state = cache_key, lease, has_state
        self._begun = time.perf_counter() if begun is None else begun
        self._run = secrets.token_hex(4)
        self._record, self._manifest = record, f"{files.key}/{MANIFEST}"
        self._etags = {key: _etag(bucket, key) for key in (self._record, self._manifest)}
        self._memory: dict[str, Any] = {}
        self._written: dict[str, Entry] = {}
        self._state: tuple[str, Entry] | None = None
        self.done, self._seconds_before = self._resume()

    @property
    def seconds(self) -> float:
        """The work that the stage has taken so far, that of earlier attempts included."""
        return self._seconds_before + time.perf_counter() - self._begun

    def begin(self, pyramid: Pyramid, metadata: ClipMetadata) -> None:
        """Lay the arrays out, unless an earlier attempt did."""
        if self.done:
            return
        self._memory, self._written, self._state = {}, {}, None
        lay_out(self._group("w"), pyramid, self._cache_key, metadata)
        self._note()
        self._sweep(read_manifest(self._bucket, self._manifest))

    def append(self, features: Features, state: npt.NDArray[Any] | None = None) -> None:
        """Write the next frames: whole chunks, except at the end of the clip."""
        self._lease.check()
        chunks = extend(self._group("r+"), self.done, features)
        self._put({path: self._memory.pop(path).to_bytes() for path in chunks})
        before, self.done = self._state, self.done + len(features[0])
        if state is not None:
            content = io.BytesIO()
            np.save(content, state)
            place = f"{self._run}/{self.done}.state.npy"
            self._bucket.put(f"{self._files.key}/{place}", content.getvalue())
            self._state = place, Entry.of(content.getvalue())
        self._note()
        if before is not None:
            self._bucket.delete([f"{self._files.key}/{before[0]}"])

    def state(self) -> npt.NDArray[Any] | None:
        """The state that the last finished block left, if an earlier attempt left any."""
        if self._state is None:
            return None
        content = self._bucket.read(f"{self._files.key}/{self._state[0]}")
        return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))

    def finish(self) -> Stage:
        """Let the stage appear in its place, over any earlier one."""
        complete(self._group("r+"), self.done, self.seconds)
        self._put({path: buffer.to_bytes() for path, buffer in self._memory.items()})
        manifest = Manifest(self._written)
        self._lease.renew()
        self._swap(self._manifest, manifest.as_json().encode())
        self._bucket.delete([self._record])
        self._state = None
        self._sweep(manifest)
        return Stage(self._files, self._clip_name)

    def _group(self, mode: Any) -> zarr.Group:
        return zarr.open_group(MemoryStore(self._memory), mode=mode)

    def _put(self, contents: dict[str, bytes]) -> None:
        """Write files of the stage, each as an object that no other run writes."""
        places = {path: f"{self._run}/{path}" for path in contents}
        self._bucket.put_all(
            {f"{self._files.key}/{places[path]}": content for path, content in contents.items()}
        )
        for path, content in contents.items():
            self._written[path] = Entry(*_sums(content), places[path])

    def _note(self) -> None:
        """Record what is written, for a run that may have to go on from here."""
        record = {
            "key": self._cache_key.digest,
            "frames": self.done,
            "seconds": self.seconds,
            "metadata": {path: buffer.to_bytes().decode() for path, buffer in self._memory.items()},
            "files": {path: [*_row(entry)] for path, entry in self._written.items()},
            "state": self._state and [self._state[0], *_row(self._state[1])[:2]],
            "once": secrets.token_hex(4),  # so that it has never been the same
        }
        self._swap(self._record, sealed(json.dumps(record).encode()))

    def _swap(self, key: str, content: bytes) -> None:
        try:
            self._etags[key] = self._bucket.swap(key, content, self._etags[key])
        except ConflictError as problem:
            raise StoreError(
                f"{self._bucket.url}/{key}: another run has written it meanwhile; run this again"
            ) from problem

    def _sweep(self, finished: Manifest | None) -> None:
        """Remove what belongs neither to the finished stage nor to the record."""
        kept = {MANIFEST, *(entry.place for entry in self._written.values())}
        if self._state is not None:
            kept.add(self._state[0])
        if finished is not None:
            kept |= {source_place(finished), *finished.places}
        keys = {f"{self._files.key}/{place}" for place in kept}
        self._bucket.delete(key for key in self._bucket.sizes(self._files.key) if key not in keys)

    def _resume(self) -> tuple[int, float]:
        """The whole frames that an earlier attempt under this key has left, and its seconds."""
        nothing = 0, 0.0
        try:
            record = parse_json(unsealed(self._bucket.read(self._record)).decode())
            if record["key"] != self._cache_key.digest or not record["frames"]:
                return nothing
            buffer = default_buffer_prototype().buffer
            for path, text in record["metadata"].items():
                self._memory[path] = buffer.from_bytes(text.encode())
            self._written = {path: Entry(*row) for path, row in record["files"].items()}
            if self._has_state:
                place, length, crc32c = record["state"]
                self._state = place, Entry(length, crc32c)
            self._check_chunks(record["frames"])
        except NOT_A_STAGE:
            self._memory, self._written, self._state = {}, {}, None
            return nothing
        return record["frames"], record["seconds"]

    def _check_chunks(self, frames: int) -> None:
        """Make sure that objects are as the record tells, and the bytes of the last ones.

        Raises:
            OSError: they are not.
        """
        levels = chunks_of(level_names(self._group("r")), 0, frames)
        manifest = Manifest({path: self._written[path] for level in levels for path in level})
        self._files.check_presence(manifest)
        for level in levels:
            manifest.check(level[-1], self._files.read(manifest.place(level[-1])), "")
        if self._state is not None:
            state = Manifest({self._state[0]: self._state[1]})
            state.check(self._state[0], self._files.read(self._state[0]), "")


def read_manifest(bucket: Bucket, key: str) -> Manifest | None:
    """A stage's manifest, or None where there is none that is whole."""
    found = bucket.find(key)
    try:
        return None if found is None else Manifest.from_json(found[0].decode())
    except (ValueError, KeyError, TypeError):
        return None


def _etag(bucket: Bucket, key: str) -> str | None:
    found = bucket.find(key)
    return None if found is None else found[1]


def _sums(content: bytes) -> tuple[int, int]:
    entry = Entry.of(content)
    return entry.length, entry.crc32c


def _row(entry: Entry) -> tuple[int, int, str]:
    return entry.length, entry.crc32c, entry.place
