"""What ``vostool`` exports: all that a user needs, and nothing that does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

import vostool


def test_everything_that_is_promised_is_there() -> None:
    for name in vostool.__all__:
        assert getattr(vostool, name) is not None, name
    assert set(vostool.__all__) <= set(dir(vostool))


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        vostool.opne  # noqa: B018


def test_a_store_takes_a_string() -> None:
    assert vostool.FeatureStore("folder").root == Path("folder")
