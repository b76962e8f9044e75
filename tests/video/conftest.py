"""The clips of :mod:`tests.video.footage`, made once a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Once
from tests.video.footage import make


@pytest.fixture
def footage(once: Once) -> Path:
    """The folder of all kinds of clips."""
    return once("footage", make)
