"""Reading a stage's chunks from a bucket: several at once, some before they are asked for.

Whoever reads a frame reads all levels of its chunk, so they are fetched at once. Whoever has read a
chunk and then the next will read on, so the ones after that are fetched meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

from zarr.storage import ObjectStore, WrapperStore

from vostool.store.layout import chunk_number
from vostool.store.manifest import Entry, Manifest
from vostool.store.s3.bucket import Bucket
from vostool.store.s3.cache import ChunkCache

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

AHEAD = 2
"""Chunks, of all levels, that are fetched before they are asked for."""


class FetchingStore(WrapperStore[ObjectStore[Any]]):
    """A stage's objects as zarr reads them, out of the cache where they are there.

    Args:
        objects: the stage's objects, by their keys in the bucket.
        bucket: where they are.
        folder: the stage's key; what is read is named by what comes after it.
        manifest: what they must be.
        cache: what was fetched before.
    """

    def __init__(
        self,
        objects: ObjectStore[Any],
        bucket: Bucket,
        folder: str,
        manifest: Manifest,
        cache: ChunkCache,
    ) -> None:
        super().__init__(objects)
        self._bucket, self._folder, self._cache = bucket, folder, cache
        self._entries = {manifest.place(path): entry for path, entry in manifest.files.items()}
        self._chunks: dict[int, list[str]] = {}
        for path in manifest.files:
            number = chunk_number(path)
            if number is not None:
                self._chunks.setdefault(number, []).append(manifest.place(path))
        self._numbers = {place: n for n, places in self._chunks.items() for place in places}
        self._last = -2
        self._most = (AHEAD + 2) * max(map(len, self._chunks.values()), default=0)
        self._coming: OrderedDict[str, asyncio.Task[Buffer | None]] = OrderedDict()
        self._given: deque[str] = deque(maxlen=2 * self._most)

    def _with_store(self, store: ObjectStore[Any]) -> FetchingStore:
        raise NotImplementedError("it is opened for reading, and nothing else")

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """An object's content; None where there is none.

        Raises:
            UnreachableError: the bucket cannot be read.
        """
        number = self._numbers.get(key)
        if number is not None:
            if number != self._last:
                ahead = AHEAD if number == self._last + 1 else 0
                for wanted in range(number, number + 1 + ahead):
                    for place in self._chunks.get(wanted, ()):
                        self._begin(place, prototype)
                self._last = number
            self._given.append(key)
            if (task := self._coming.pop(key, None)) is not None:
                return await task
        return await self._fetch(key, prototype)

    def _begin(self, place: str, prototype: BufferPrototype) -> None:
        """Fetch an object meanwhile, unless it has just been asked for, level after level.

        What was fetched and never asked for is let go of.
        """
        if place not in self._coming and place not in self._given:
            self._coming[place] = asyncio.create_task(self._fetch(place, prototype))
            self._coming[place].add_done_callback(_look)
        while len(self._coming) > self._most:
            self._coming.popitem(last=False)[1].cancel()

    async def _fetch(self, place: str, prototype: BufferPrototype) -> Buffer | None:
        from obstore.exceptions import BaseError

        entry, key = self._entries[place], f"{self._folder}/{place}"
        name = f"{self._bucket.address}/{key}"
        kept = await asyncio.to_thread(self._cache.get, name, entry)
        if kept is not None:
            return prototype.buffer.from_bytes(kept)
        try:
            found = await self._store.get(key, prototype)
        except BaseError as problem:
            raise self._bucket.error(f"{self._bucket.url}/{key}", problem) from problem
        if found is not None:
            content = found.to_bytes()
            if Entry.of(content) == entry:
                await asyncio.to_thread(self._cache.put, name, content)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FetchingStore) and self._store == other._store


def _look(task: asyncio.Task[Buffer | None]) -> None:
    """Look at how a fetch went, for Python tells of one at which nobody has looked."""
    if not task.cancelled():
        task.exception()
