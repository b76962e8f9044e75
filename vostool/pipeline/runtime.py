"""What the stages share: where they run, by what, and work that is done ahead in a thread."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from vostool.errors import VostoolError
from vostool.version import __version__

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")

GPUS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""What Linux has where there is a GPU that torch can use: of NVIDIA, of AMD, in WSL."""


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made in a thread while the one before it is in use."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def is_cpu(name: str) -> bool:
    """Whether a device is the CPU; torch is asked, and so loaded, only where there may be a GPU.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        VostoolError: this machine has none of that name.
    """
    surely = name == "auto" and sys.platform == "linux" and not any(map(os.path.exists, GPUS))
    return name == "cpu" or surely or find_device(name).type == "cpu"


def find_device(name: str) -> torch.device:
    """The device of a name.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        VostoolError: this machine has none of that name.
    """
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


def device_name(name: str) -> str:
    """What torch calls the device of a name; torch is loaded only where there may be a GPU.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises:
        VostoolError: this machine has none of that name.
    """
    return "cpu" if is_cpu(name) else str(find_device(name))


def made_by(device: str, engine: str, precision: str) -> dict[str, str]:
    """What a cache key notes of a run, which does not decide the features.

    Args:
        device: where it ran, as torch calls it.
        engine: what ran the network, and of which version.
        precision: in which arithmetic.
    """
    return {
        "vostool": __version__,
        "engine": engine,
        "device": device,
        "cores": str(os.cpu_count()),
        "precision": precision,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
