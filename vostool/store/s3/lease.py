"""Holding a clip of a bucket for writing: an object that is made or swapped by one run alone.

The object tells who holds the clip, and when this was last said; its holder says so again every
:data:`REFRESH` seconds, and when it lets go, that nobody does. Others look on: an object whose ETag
has stayed the same for :data:`LEASE` seconds, by the clock of the one who looks, is that of a run
that was killed, and is swapped for another by its ETag, which one of those who try can do. A run
that could not say anything for so long knows that it may have lost the clip, and stops. No two
machines' clocks are ever compared.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from vostool.errors import OutputError, StoreError, UnreachableError
from vostool.files import parse_json
from vostool.store.s3.bucket import Bucket, ConflictError

LEASE = 30.0
"""Seconds after which a clip is free whose holder has said nothing."""
REFRESH = LEASE / 6
MARGIN = LEASE / 6
"""Seconds by which a holder takes a clip for lost before another may have it."""
LOOK = 1.0
"""Seconds between two looks of one who waits."""


class Lease:
    """A clip that is held.

    Args:
        bucket: the store.
        key: the lock's object.
        etag: of what is there; None where nothing is.

    Raises:
        ConflictError: another run has it now.
    """

    def __init__(self, bucket: Bucket, key: str, etag: str | None) -> None:
        self._bucket, self._key = bucket, key
        self._token = secrets.token_hex(8)
        self._etag, self._said = etag, 0.0
        self._alone, self._over = threading.Lock(), threading.Event()
        self._say(self._token)
        self._refreshing = threading.Thread(target=self._refresh, daemon=True)
        self._refreshing.start()

    def check(self) -> None:
        """Make sure that the clip is still held; asks nobody.

        Raises:
            StoreError: it may be another run's by now.
        """
        if _now() > self._said + LEASE - MARGIN:
            raise self._lost()

    def renew(self) -> None:
        """Make sure of it, by saying so: it is held for a while from now on.

        Raises:
            StoreError: it is another run's.
            OutputError, UnreachableError: nothing can be written.
        """
        self.check()
        try:
            self._say(self._token)
        except ConflictError as problem:
            raise self._lost() from problem

    def release(self) -> None:
        """Let go of it; where the bucket cannot be reached, it will be free in a while."""
        self._over.set()
        self._refreshing.join()
        with suppress(ConflictError, OutputError, StoreError, UnreachableError):
            self.check()
            self._say(None)

    def _refresh(self) -> None:
        while not self._over.wait(REFRESH):
            with suppress(OutputError, UnreachableError):  # and try again
                try:
                    self._say(self._token)
                except ConflictError:
                    self._said = -LEASE
                    return

    def _say(self, token: str | None) -> None:
        with self._alone:
            begun = _now()
            words = {
                "owner": token and f"{socket.gethostname()}, process {os.getpid()}",
                "token": token,
                "time": datetime.now(UTC).isoformat(),
                "once": secrets.token_hex(4),  # so that it has never been the same
            }
            content = json.dumps(words).encode()
            try:
                self._etag = self._bucket.swap(self._key, content, self._etag)
            except ConflictError:
                found = self._bucket.find(self._key)
                if found is None or _token(found[0]) != self._token:
                    raise
                # What was said before has arrived, and the answer has not.
                self._etag = self._bucket.swap(self._key, content, found[1])
            self._said = begun

    def _lost(self) -> StoreError:
        return StoreError(
            f"{self._bucket.url}/{self._key}: this run was held up for {LEASE:.0f} s, and another "
            "may write the clip now; run this again"
        )


@contextmanager
def held(bucket: Bucket, key: str, on_wait: Callable[[], None]) -> Iterator[Lease]:
    """Hold a clip; wait for it as long as another run does.

    Args:
        bucket: the store.
        key: the lock's object.
        on_wait: called once if one has to wait.

    Raises:
        OutputError: the store cannot be written to.
        UnreachableError: the bucket cannot be reached.
    """
    lease = _acquire(bucket, key, on_wait)
    try:
        yield lease
    finally:
        lease.release()


def _acquire(bucket: Bucket, key: str, on_wait: Callable[[], None]) -> Lease:
    seen, since, told = None, 0.0, False
    while True:
        found = bucket.find(key)
        etag = None if found is None else found[1]
        if found is None or _token(found[0]) is None or _is_left(etag == seen, since):
            with suppress(ConflictError):  # another was quicker
                return Lease(bucket, key, etag)
            continue
        if etag != seen:
            seen, since = etag, _now()
        if not told:
            on_wait()
            told = True
        time.sleep(LOOK)


def _is_left(same: bool, since: float) -> bool:
    return same and _now() - since > LEASE


def _now() -> float:
    """Seconds of a clock that goes on while the machine sleeps, where the system has one."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _token(content: bytes) -> str | None:
    """Whose a lock is; None where it is nobody's, or no lock."""
    try:
        token = parse_json(content.decode())["token"]
    except (ValueError, TypeError, KeyError):
        return None
    return token if isinstance(token, str) else None
