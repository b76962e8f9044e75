"""A server that speaks S3 for tests: moto's, with what a test wants to see of it, or to do to it.

    python -m tests.s3_server       # runs one until it is stopped; says where

As on S3 itself a conditional write is one step; moto looks and writes in two, so that the writes
that reach it are let in one by one.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

BUCKET = "clips"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
Seen = Callable[[str, str], None]
"""Is told of a request before it is answered: its method and its path."""
Refuse = Callable[[str, str], str | None]


class S3Server:
    """A server with one bucket, in threads of this process.

    Attributes:
        url: where it listens.
        requests: how many of each method it was asked since :meth:`clear`.
        seen: is told of each request.
        refuse: says of each request with what status it is refused, or None.
        delay: seconds that each answer takes longer, as over a network.
    """

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self._answer = DomainDispatcherApplication(create_backend_app)
        self._writing = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.seen: Seen = lambda method, path: None
        self.refuse: Refuse = lambda method, path: None
        self.delay = 0.0
        self._server = make_server(
            "127.0.0.1", 0, self._count, threaded=True, request_handler=_quiet_handler()
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _count(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests[method] += 1
        self.seen(method, path)
        if self.delay:
            time.sleep(self.delay)
        if (status := self.refuse(method, path)) is not None:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start(status, [("Content-Length", "0")])
            return [b""]
        if method == "GET":
            return self._answer(environ, start)  # type: ignore[no-any-return]
        with self._writing:
            return list(self._answer(environ, start))

    def environment(self) -> dict[str, str]:
        """What a command needs to know of it."""
        return {**KEYS, "AWS_ENDPOINT_URL": self.url}

    def clear(self) -> None:
        """An empty bucket, and nothing counted."""
        self.seen, self.delay = lambda method, path: None, 0.0
        self.refuse = lambda method, path: None
        client = self.client()
        with suppress(client.exceptions.NoSuchBucket):
            for entry in self.objects():
                client.delete_object(Bucket=BUCKET, Key=entry)
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=BUCKET)
        self.requests.clear()

    def client(self) -> Any:
        """A client that is not the one that is tested."""
        import boto3

        return boto3.client(
            "s3", endpoint_url=self.url, region_name=KEYS["AWS_REGION"],
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    def objects(self, prefix: str = "") -> list[str]:
        """All objects, in order."""
        pages = (
            self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        )
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def read(self, key: str) -> bytes:
        """An object's content."""
        return bytes(self.client().get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def write(self, key: str, content: bytes) -> None:
        """Write an object, whatever was there."""
        self.client().put_object(Bucket=BUCKET, Key=key, Body=content)

    def delete(self, key: str) -> None:
        """Remove an object."""
        self.client().delete_object(Bucket=BUCKET, Key=key)

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _quiet_handler() -> type[Any]:
    from werkzeug.serving import WSGIRequestHandler

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_: object) -> None:
            """Say nothing."""

    return Quiet


if __name__ == "__main__":
    server = S3Server()
    server.clear()
    print(*(f"export {name}={value}" for name, value in server.environment().items()), sep="\n")
    print(f"# s3://{BUCKET}", flush=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait(float(os.environ.get("SECONDS", "86400")))
    server.close()
