"""Where things lie in a store, and how an array of features is laid out.

    STORE/NAME.zarr/                       one zarr v3 group a clip
    STORE/NAME.zarr/NETWORK/               one group a network that the clip was extracted with
    STORE/NAME.zarr/NETWORK/STAGE/         a finished stage: a group, its key, an array a level
    STORE/NAME.zarr/NETWORK/STAGE/s8/c.K.0.0.0   K-th chunk of 8 frames of the level s8
    STORE/NAME.zarr/NETWORK/STAGE/manifest.json  length and checksum of each file of the stage
    STORE/NAME.zarr/NETWORK/STAGE/source.json    where the clip's frames lie now
    STORE/.partial/NAME/NETWORK/STAGE/     a stage being made; moved into place when whole
    STORE/.locks/NAME.lock                 held by the run that writes the clip

Chunks are 8 whole frames, (8, h, w, C) float16, not compressed: `tests/benchmarks/bench_store.py`
has the measurement. Features that come out of a normalisation shrink by a tenth at most, and
reading them takes two to four times as long. Their CRC-32C are in the manifest, and not in the
chunks: there, the checksum of any chunk with its own checksum behind it would be the same number.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from vostool.errors import ClipNameError

VERSION = 4
"""Goes into every cache key: a store of another layout is made anew."""

CHUNK_FRAMES = 8
"""Frames a chunk. One frame alone reads in 9 ms, a whole clip as fast as with longer chunks."""

SUFFIX = ".zarr"
PARTIAL = ".partial"
LOCKS = ".locks"
GROUP = "zarr.json"
"""What zarr says of a group, or of an array, in its folder."""
SOURCE = "source.json"
"""Of a stage's files the one that may change: it tells where the clip lies."""
LONGEST_NAME = 200
"""Bytes: file systems take 255, with what is added to a name."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")
_CHUNK = re.compile(r"c\.(\d+)\.0\.0\.0")
_NAME = re.compile(r"[\w][\w .+=@,-]*")


def is_url(place: str | Path) -> bool:
    """Whether a store's place is a URL, and no folder."""
    return isinstance(place, str) and bool(_SCHEME.match(place))


def is_name(name: str) -> bool:
    """Whether a clip can be called so."""
    return bool(_NAME.fullmatch(name)) and _bytes(name) <= LONGEST_NAME


def _bytes(name: str) -> int:
    return len(name.encode(errors="replace"))  # not the locale's, which may know ASCII alone


def check_name(name: str) -> str:
    """Return a clip's name if it can be one.

    Raises:
        ClipNameError: it is empty, hidden, too long, or would leave the store.
    """
    if _bytes(name) > LONGEST_NAME:
        raise ClipNameError(
            f"{name!r} cannot name a clip: it has {_bytes(name)} bytes, {LONGEST_NAME} are the most"
        )
    if not is_name(name):
        raise ClipNameError(
            f"{name!r} cannot name a clip: letters, digits and . _ - + = @ , only, not beginning "
            "with a dot"
        )
    return name


def clip_folder(store: Path, name: str) -> Path:
    """The folder of a clip's finished stages."""
    return store / f"{check_name(name)}{SUFFIX}"


def partial_folder(store: Path, name: str) -> Path:
    """The folder in which a clip's stages are made."""
    return store / PARTIAL / check_name(name)


def lock_file(store: Path, name: str) -> Path:
    """The file that a run locks while it writes a clip."""
    return store / LOCKS / f"{check_name(name)}.lock"


def chunk_name(chunk: int) -> str:
    """The name of the file of a level's K-th chunk."""
    return f"c.{chunk}.0.0.0"


def chunk_number(path: str) -> int | None:
    """The K of a file that :func:`chunk_name` named, in the folder of its level; else None."""
    found = _CHUNK.fullmatch(path.rpartition("/")[2])
    return int(found[1]) if found else None


def create_features(group: zarr.Group, level: str, shape: tuple[int, int, int]) -> zarr.Array[Any]:
    """Make a level's array for features (h, w, C), of no frames as yet."""
    return group.create_array(
        level,
        shape=(0, *shape),
        chunks=(CHUNK_FRAMES, *shape),
        dtype=np.float16,
        filters=None,
        compressors=None,
        chunk_key_encoding={"name": "default", "separator": "."},
    )
