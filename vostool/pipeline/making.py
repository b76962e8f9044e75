"""What the two heavy stages share: whether there is anything to do, where, and by what."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from vostool import __version__
from vostool.errors import VostoolError
from vostool.pipeline.telling import Say
from vostool.store import FeatureStore, Stage, Stamp

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")


def already_made(
    store: FeatureStore, name: str, stage_name: str, stamp: Stamp, say: Say
) -> Stage | None:
    stage = store.find(name, stage_name)
    if stage is None or (stage.stamp == stamp and stage.seconds is not None):
        return stage
    why = stamp.difference(stage.stamp) or "an older vostool did not note what they took"
    say(f"{name}: making {stage_name} features again: {why}")
    return None


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made in a thread while the one before it is in use."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def find_device(name: str) -> torch.device:
    import torch

    if name == "auto":
        found = "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device("cuda" if torch.cuda.is_available() else found)
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(name, False):
        raise VostoolError(f"no device {name!r} on this machine; use --device auto")
    return torch.device(name)


def made_by(device: str, precision: str) -> dict[str, str]:
    import torch

    return {
        "vostool": __version__,
        "torch": torch.__version__,
        "device": str(find_device(device)),
        "cores": str(os.cpu_count()),
        "precision": precision,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
