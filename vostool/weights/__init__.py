"""The weights that ship with the package, and files like them: safetensors of half floats.

Each has a card beside it, ``NAME.md``: what it was trained on, by which commands, and how well it
does. A file carries a few facts, such as the weights of the network whose features it reads.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from vostool.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn

SUFFIX = ".safetensors"
READS = "reads"
"""The fact that tells which weights' features a network reads: their fingerprint."""


def find_weights(model: str) -> Path:
    """The file of a name or a path.

    Args:
        model: the name of shipped weights, or a file.

    Raises:
        WeightsError: there is neither.
    """
    folder = Path(__file__).parent
    shipped = folder / f"{model}{SUFFIX}"
    file = shipped if shipped.is_file() else Path(model)
    if not file.is_file():
        names = ", ".join(sorted(f.stem for f in folder.glob(f"*{SUFFIX}")))
        raise WeightsError(f"{model}: no such file of weights; shipped are: {names}")
    return file


def fingerprint(file: Path) -> str:
    """The SHA-256 of a file of weights."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_weights(file: Path, tensors: dict[str, Tensor], facts: dict[str, str]) -> None:
    """Write weights, as half floats; the file appears in one step.

    Raises:
        WeightsError: the file cannot be written.
    """
    from safetensors.torch import save

    halved = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous().cpu()
        for name, tensor in tensors.items()
    }
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        aside.write_bytes(save(halved, metadata=facts))
        os.replace(aside, file)
    except OSError as problem:
        raise WeightsError(f"{file}: cannot be written ({problem})") from problem
    finally:
        aside.unlink(missing_ok=True)


def read_facts(file: Path) -> dict[str, str]:
    """What a file of weights tells of itself, without reading its tensors.

    Raises:
        WeightsError: the file is not of safetensors.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            return dict(opened.metadata() or {})
    except (OSError, SafetensorError) as problem:
        raise WeightsError(f"{file}: not a file of weights ({problem})") from problem


def load_weights(network: nn.Module, file: Path) -> None:
    """Give a network the weights of a file, as 32-bit floats; every tensor must be accounted for.

    Raises:
        WeightsError: the file is not of safetensors, or not this network's.
    """
    from vostool.backbones.state import load_state

    load_state(network, file)
