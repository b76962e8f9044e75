"""Grey PNGs of 16 bits, a folder an object: as :mod:`vostool.writers.probabilities`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from vostool.writers import Content
from vostool.writers.probabilities import ProbabilityWriter
from vostool.writers.probabilities import open_writer as open_grey


def open_writer(folder: Path, content: Content) -> AbstractContextManager[ProbabilityWriter]:
    """Open a folder to write to; it appears when it is whole, and holds nothing else.

    Raises:
        OutputError: it cannot be written to.
    """
    return open_grey(folder, content, np.uint16)
