"""vostool: interactive video object segmentation from the shell, with a cached feature store.

What a user needs is here: :func:`open`, :class:`Session`, :class:`FeatureStore`, the errors. They
are loaded when they are first used, so that importing the package loads neither torch nor zarr.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vostool.errors import (
    AdapterError,
    ClipError,
    DavisError,
    ImageError,
    OutputError,
    ScribbleError,
    StoreError,
    UsageError,
    VostoolError,
    WeightsError,
)
from vostool.version import __version__

if TYPE_CHECKING:
    from vostool.adapter import Adapter
    from vostool.mask_propagation import Refiner
    from vostool.opening import OpenClip, open
    from vostool.over_clips import adapt, suggest
    from vostool.scribbles import Scribbles, Stroke
    from vostool.session import Session
    from vostool.store import FeatureStore
    from vostool.video.writing import write_clip

_LAZY = {
    "Adapter": "vostool.adapter",
    "FeatureStore": "vostool.store",
    "OpenClip": "vostool.opening",
    "Refiner": "vostool.mask_propagation",
    "Scribbles": "vostool.scribbles",
    "Session": "vostool.session",
    "Stroke": "vostool.scribbles",
    "adapt": "vostool.over_clips",
    "open": "vostool.opening",
    "suggest": "vostool.over_clips",
    "write_clip": "vostool.video.writing",
}

__all__ = [
    "Adapter",
    "AdapterError",
    "ClipError",
    "DavisError",
    "FeatureStore",
    "ImageError",
    "OpenClip",
    "OutputError",
    "Refiner",
    "ScribbleError",
    "Scribbles",
    "Session",
    "StoreError",
    "Stroke",
    "UsageError",
    "VostoolError",
    "WeightsError",
    "__version__",
    "adapt",
    "open",
    "suggest",
    "write_clip",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
