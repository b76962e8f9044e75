"""A bucket for each test, on a server that all share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.s3_server import BUCKET, S3Server
from vostool.store import FeatureStore

ROOT = f"s3://{BUCKET}/some/where"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A running server, if it and the client are installed."""
    for module in ("moto", "flask", "flask_cors", "obstore"):
        pytest.importorskip(module, reason=f"no {module}: pip install 'vostool[s3,test]'")
    server = S3Server()
    yield server
    server.close()


@pytest.fixture
def s3(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server with an empty bucket, which the environment names, and a cache of the test's."""
    s3_server.clear()
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("VOSTOOL_CACHE", str(tmp_path / "cache"))
    return s3_server


@pytest.fixture
def store(s3: S3Server) -> FeatureStore:
    """A store under a prefix of the bucket."""
    return FeatureStore(ROOT)
