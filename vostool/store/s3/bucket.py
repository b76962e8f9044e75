"""Objects of an S3 bucket under a prefix: the few requests that a store needs, and their errors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from zarr.storage import ObjectStore

from vostool.errors import OutputError, UnreachableError, UsageError

SIDE_BY_SIDE = 8
"""Requests that are under way at once, where there are many to do."""
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]+)((?:/[^/]+)*)/?")
_RETRIES = {"max_retries": 4}
_TIMES = {"connect_timeout": "5s", "timeout": "120s"}


class ConflictError(Exception):
    """An object is not the one that was to be replaced."""


class Bucket:
    """A bucket and a prefix in it. Keys are relative to the prefix.

    Args:
        url: ``s3://BUCKET/PREFIX``; the prefix may be empty. Where the bucket is and who asks is
            told by the usual environment variables, ``AWS_ENDPOINT_URL`` and others.

    Attributes:
        url: the same, without a slash at its end.

    Raises:
        UsageError: that is no such URL.
        UnreachableError: the package that speaks S3 is not installed.
    """

    def __init__(self, url: str) -> None:
        parts = _URL.fullmatch(url)
        if parts is None:
            raise UsageError(f"{url}: is no bucket; give it as s3://BUCKET/PREFIX")
        try:
            from obstore.store import S3Store
        except ModuleNotFoundError as problem:
            raise UnreachableError(
                f"{url}: a store on S3 needs {problem.name}; install it with: "
                "pip install 'vostool[s3]'"
            ) from problem
        self.url = url.rstrip("/")
        self._endpoint = next((os.environ[name] for name in ENDPOINTS if name in os.environ), "")
        options: dict[str, Any] = {**_TIMES, "allow_http": self._endpoint.startswith("http://")}
        with self._asking(self.url):
            self._objects = S3Store(
                parts[1],
                prefix=parts[2].lstrip("/") or None,
                client_options=options,  # type: ignore[arg-type]
                retry_config=_RETRIES,  # type: ignore[arg-type]
            )

    @property
    def address(self) -> str:
        """What tells this bucket and prefix from all others."""
        return f"{self._endpoint} {self.url}"

    def zarr(self) -> ObjectStore[Any]:
        """The objects as zarr reads them."""
        return ObjectStore(self._objects, read_only=True)

    def read(self, key: str) -> bytes:
        """An object's content.

        Raises:
            FileNotFoundError: there is none.
            UnreachableError: the bucket cannot be read.
        """
        return self._get(key)[0]

    def find(self, key: str) -> tuple[bytes, str] | None:
        """An object's content and its ETag, or None.

        Raises:
            UnreachableError: the bucket cannot be read.
        """
        try:
            return self._get(key)
        except FileNotFoundError:
            return None

    def _get(self, key: str) -> tuple[bytes, str]:
        with self._asking(f"{self.url}/{key}"):
            answer = self._objects.get(key)
            return bytes(answer.bytes()), str(answer.meta["e_tag"])

    def read_each(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes | OSError]]:
        """Many objects' contents, some at once, or why there are none."""

        def read(key: str) -> bytes | OSError:
            try:
                return self.read(key)
            except OSError as problem:
                return problem

        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            for some in _batches(keys):
                yield from zip(some, pool.map(read, some), strict=True)

    def put(self, key: str, content: bytes) -> None:
        """Write an object, over any earlier one.

        Raises:
            OutputError: it may not be written.
            UnreachableError: the bucket cannot be reached.
        """
        with self._asking(f"{self.url}/{key}", writing=True):
            self._objects.put(key, content, use_multipart=False)

    def put_all(self, contents: Mapping[str, bytes]) -> None:
        """Write many objects, some at once."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            for _ in pool.map(self.put, contents, contents.values()):
                pass

    def swap(self, key: str, content: bytes, etag: str | None) -> str:
        """Write an object if it still is what it was, in one step.

        Args:
            key: the object.
            content: what it is to be, unlike anything that it has been.
            etag: of what it was; None where there was none.

        Returns:
            Its ETag now.

        Raises:
            ConflictError: it is something else.
            OutputError: it may not be written.
            UnreachableError: the bucket cannot be reached.
        """
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            with self._asking(f"{self.url}/{key}", writing=True):
                done = self._objects.put(
                    key, content, mode={"e_tag": etag} if etag else "create", use_multipart=False
                )
            return str(done["e_tag"])
        except (AlreadyExistsError, PreconditionError) as problem:
            found = self.find(key)
            if found is not None and found[0] == content:
                return found[1]  # the answer to a first try was lost, and a second one refused
            raise ConflictError(key) from problem

    def sizes(self, folder: str) -> dict[str, int]:
        """The objects under a key and their lengths, by their keys."""
        with self._asking(f"{self.url}/{folder}"):
            return {meta["path"]: meta["size"] for meta in self._objects.list(folder).collect()}

    def folders(self, folder: str) -> set[str]:
        """The names next below a key that have objects below them."""
        with self._asking(f"{self.url}/{folder}"):
            listed = self._objects.list_with_delimiter(folder)
        return {place.rstrip("/").rpartition("/")[2] for place in listed["common_prefixes"]}

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects, whether they are there or not.

        Raises:
            OutputError: they may not be removed.
            UnreachableError: the bucket cannot be reached.
        """
        if paths := list(keys):
            with self._asking(self.url, writing=True):
                self._objects.delete(paths)

    @contextmanager
    def _asking(self, place: str, writing: bool = False) -> Iterator[None]:
        """Tell a user what went wrong with a request, in one line.

        An object that is not there, and one that is not what it was, are the caller's affair.
        """
        from obstore import exceptions

        try:
            yield
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            raise
        except (exceptions.BaseError, FileNotFoundError, PermissionError, ValueError) as problem:
            raise self.error(place, problem, writing) from problem

    def error(self, place: str, problem: Exception, writing: bool = False) -> Exception:
        """What to raise of obstore's error: a ``FileNotFoundError`` only where an object is not."""
        told = str(problem)
        bucket = "/".join(self.url.split("/")[:3])
        if "NoSuchBucket" in told:
            return UnreachableError(f"{bucket}: no such bucket; make it, or name another")
        if isinstance(problem, FileNotFoundError):
            return problem
        if "169.254.169.254" in told or "InvalidAccessKeyId" in told:
            return UnreachableError(
                f"{bucket}: no credentials that it knows; set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY"
            )
        if refusal := re.search(r"\b(?:403|401) \w+|AccessDenied|SignatureDoesNotMatch", told):
            kind = OutputError if writing else UnreachableError
            verb = "written" if writing else "read"
            return kind(f"{place}: cannot be {verb} ({refusal[0]}); see what its keys may do")
        where = self._endpoint or "AWS"
        if re.search(r"HTTP error|error sending request|dns|timed out|status code: 5", told):
            return UnreachableError(
                f"{bucket}: no answer from {where}; see to the network, and AWS_ENDPOINT_URL"
            )
        return UnreachableError(f"{place}: {told.splitlines()[0]} ({where})")


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    some: list[str] = []
    for key in keys:
        some.append(key)
        if len(some) == SIDE_BY_SIDE:
            yield some
            some = []
    if some:
        yield some
