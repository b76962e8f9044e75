"""What the tests of the DAVIS benchmark share."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from types import ModuleType

import pytest

from vostool.davis import compat


@pytest.fixture(scope="session")
def need() -> Callable[[str], None]:
    """Skips the test that calls it, and says why, where a package is not installed."""

    def skip_without(package: str) -> None:
        if importlib.util.find_spec(package) is None:
            pytest.skip(
                f"{package} is not installed: run python3 tools/environment.py --davisinteractive"
            )

    return skip_without


@pytest.fixture(scope="session")
def davisinteractive(need: Callable[[str], None]) -> ModuleType:
    """The official package, mended."""
    need(compat.PACKAGE)
    return compat.load()
