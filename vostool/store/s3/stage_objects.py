"""The files of a stage as objects of a bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vostool.store.layout import GROUP, SOURCE
from vostool.store.manifest import NAME as MANIFEST
from vostool.store.manifest import CheckedStore, Manifest, MismatchError
from vostool.store.s3.bucket import Bucket
from vostool.store.s3.cache import ChunkCache
from vostool.store.s3.fetching import FetchingStore


class StageObjects:
    """A stage's objects; see :class:`vostool.store.stage_files.StageFiles`.

    Args:
        bucket: where they are.
        key: under which key they are: ``NAME.zarr/NETWORK/STAGE``.
        cache: what was fetched before.
    """

    def __init__(self, bucket: Bucket, key: str, cache: ChunkCache) -> None:
        self.key = key
        self._bucket, self._cache = bucket, cache
        self._stamp: bytes | None = None
        self._sizes: dict[str, int] | None = None
        self._source, self._size = "", 0

    def __str__(self) -> str:
        return f"{self._bucket.url}/{self.key}"

    @property
    def network(self) -> str:
        """Whose features they are."""
        return self.key.split("/")[-2]

    @property
    def kind(self) -> str:
        """Which stage it is."""
        return self.key.split("/")[-1]

    def beside(self, stage: str) -> StageObjects:
        """Another stage of the same clip and network."""
        return StageObjects(self._bucket, f"{self.key.rpartition('/')[0]}/{stage}", self._cache)

    def is_stamped(self) -> bool:
        """Whether the stage has its manifest, which :meth:`read` then gives at no cost."""
        found = self._bucket.find(f"{self.key}/{MANIFEST}")
        self._stamp = None if found is None else found[0]
        return found is not None

    def read_group(self) -> bytes:
        """What zarr says of the stage as a group, where its manifest tells."""
        manifest = Manifest.from_json(self.read(MANIFEST).decode())
        self._source = f"{self.key}/{source_place(manifest)}"
        return self.read(manifest.place(GROUP))

    def read(self, path: str) -> bytes:
        """An object's content, out of the bucket."""
        if path == MANIFEST and self._stamp is not None:
            stamp, self._stamp = self._stamp, None
            return stamp
        return self._bucket.read(f"{self.key}/{path}")

    def read_each(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | OSError]]:
        """The contents of many objects, out of the bucket, some at once."""
        for key, content in self._bucket.read_each(f"{self.key}/{path}" for path in paths):
            yield key.removeprefix(f"{self.key}/"), content

    def check_presence(self, manifest: Manifest) -> None:
        """Make sure that each object is there and as long as it was."""
        self._sizes = sizes = self._bucket.sizes(self.key)
        for path, entry in manifest.files.items():
            place = manifest.place(path)
            length = sizes.get(f"{self.key}/{place}")
            if length is None:
                raise MismatchError(f"{self}/{place}: missing")
            if length != entry.length:
                raise MismatchError(f"{self}/{place}: {length} bytes of {entry.length}")

    def opened(self, manifest: Manifest) -> CheckedStore:
        """The objects as zarr reads them."""
        self._size = sum(entry.length for entry in manifest.files.values())
        self._source = f"{self.key}/{source_place(manifest)}"
        objects = FetchingStore(self._bucket.zarr(), self._bucket, self.key, manifest, self._cache)
        return CheckedStore(objects, manifest, str(self))

    def size(self) -> int:
        """Bytes of all that the manifest tells of."""
        return self._size

    def read_source(self) -> bytes:
        """Where the clip lies now, if it was moved since this stage was made."""
        if self._sizes is not None and self._source not in self._sizes:
            raise FileNotFoundError(self._source)
        return self._bucket.read(self._source)

    def write_source(self, content: bytes) -> None:
        """Write where the clip lies now."""
        self._bucket.put(self._source, content)


def source_place(manifest: Manifest) -> str:
    """Where a stage's :data:`SOURCE` lies: beside what its last run wrote, and nobody else."""
    return f"{manifest.place(GROUP).rpartition('/')[0]}/{SOURCE}"
