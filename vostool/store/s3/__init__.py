"""A store in a bucket of S3, or of a server that speaks it.

PREFIX/NAME.zarr/NETWORK/STAGE/manifest.json   the stamp, written last: where each file lies
PREFIX/NAME.zarr/NETWORK/STAGE/RUN/…           what a run wrote of the stage, once each
PREFIX/NAME.zarr/NETWORK/STAGE/RUN/source.json where the clip's frames lie now
PREFIX/.partial/NAME/NETWORK/STAGE/progress.json  what is whole of a stage being made
PREFIX/.locks/NAME.lock                        who holds the clip for writing
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vostool.files import parse_json, unsealed
from vostool.store.cache_key import CacheKey
from vostool.store.layout import LOCKS, PARTIAL, SUFFIX, check_name
from vostool.store.manifest import NAME as MANIFEST
from vostool.store.s3.bucket import Bucket
from vostool.store.s3.cache import users_cache
from vostool.store.s3.lease import Lease, held
from vostool.store.s3.stage_objects import StageObjects
from vostool.store.s3.writer import ObjectStageWriter, read_manifest

PROGRESS = "progress.json"


class BucketMedium:
    """A store's bucket; see :class:`vostool.store.medium.Medium`.

    Args:
        url: ``s3://BUCKET/PREFIX``.

    Raises:
        UsageError: that is no such URL.
        UnreachableError: the package that speaks S3 is not installed.
    """

    def __init__(self, url: str) -> None:
        self.bucket = Bucket(url)
        self._cache = users_cache()
        self._leases: dict[str, Lease] = {}

    @property
    def folders(self) -> tuple[Path, ...]:
        """Nothing of the disk."""
        return ()

    def exists(self) -> bool:
        """Whether anything is stored there."""
        return bool(self.names())

    def names(self) -> set[str]:
        """The clips of which anything is stored."""
        finished = (name for name in self.bucket.folders("") if name.endswith(SUFFIX))
        return {name.removesuffix(SUFFIX) for name in finished} | self.bucket.folders(PARTIAL)

    def networks(self, clip: str) -> set[str]:
        """The networks that a clip has stages of."""
        return {name for place in _places(clip) for name in self.bucket.folders(place)}

    def has(self, clip: str, network: str, stage: str) -> bool:
        """Whether a stage has its stamp."""
        return self.files(clip, network, stage).is_stamped()

    def has_begun(self, clip: str, network: str, stage: str) -> bool:
        """Whether there is a record of a stage that is not of the one that is finished."""
        found = self.bucket.find(_record(clip, network, stage))
        if found is None:
            return False
        try:
            written = {row[2] for row in parse_json(unsealed(found[0]).decode())["files"].values()}
        except (ValueError, KeyError, TypeError):
            return True
        key = f"{self.files(clip, network, stage).key}/{MANIFEST}"
        finished = read_manifest(self.bucket, key)
        return not written or finished is None or not written <= finished.places

    def files(self, clip: str, network: str, stage: str) -> StageObjects:
        """A stage's objects."""
        return StageObjects(self.bucket, f"{_places(clip)[0]}/{network}/{stage}", self._cache)

    def writer(
        self,
        clip: str,
        network: str,
        stage: str,
        cache_key: CacheKey,
        *,
        has_state: bool,
        begun: float | None,
    ) -> ObjectStageWriter:
        """Begin a stage, or take up an unfinished attempt; the clip must be held."""
        return ObjectStageWriter(
            self.bucket,
            self.files(clip, network, stage),
            _record(clip, network, stage),
            clip,
            cache_key,
            self._leases[clip],
            has_state=has_state,
            begun=begun,
        )

    @contextmanager
    def lock(self, clip: str, on_wait: Callable[[], None]) -> Iterator[None]:
        """Hold a clip for writing; see :mod:`vostool.store.s3.lease`."""
        with held(self.bucket, f"{LOCKS}/{check_name(clip)}.lock", on_wait) as lease:
            self._leases[clip] = lease
            try:
                yield
            finally:
                del self._leases[clip]

    def remove(self, clip: str, network: str | None, stage: str | None) -> None:
        """Remove what there is of a clip, of a network or of a stage; the stamps go first."""
        part = "/".join(name for name in (network, stage) if name)
        folders = [f"{place}/{part}".rstrip("/") for place in _places(clip)]
        keys = [key for folder in folders for key in self.bucket.sizes(folder)]
        self._leases[clip].renew()
        self.bucket.delete(key for key in keys if key.endswith(f"/{MANIFEST}"))
        self.bucket.delete(keys)


def _places(clip: str) -> tuple[str, str]:
    """Under which keys a clip's stages lie, and the records of those being made."""
    return f"{check_name(clip)}{SUFFIX}", f"{PARTIAL}/{clip}"


def _record(clip: str, network: str, stage: str) -> str:
    return f"{_places(clip)[1]}/{network}/{stage}/{PROGRESS}"
