"""Images of microscopes as clips: which planes are frames, and of which channel."""

from __future__ import annotations

from pathlib import Path

MARKS = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
"""What makes a folder one of zarr's, of format 3 or 2."""


def is_zarr(path: Path) -> bool:
    """Whether a folder is one of zarr's, of whatever content."""
    return any((path / mark).is_file() for mark in MARKS)
