"""State dicts in the first format of ``torch.save``, without torch.

It was the usual one until 2020, and published weights still come in it. A file is five pickles,
one behind the other: a magic number, the format's version, facts of the machine, the state dict,
and the keys of its storages; then the bytes of each storage behind their count.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
STORAGES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
}
"""By the names of torch's classes."""


def read_first_format(file: Path) -> dict[str, npt.NDArray[Any]] | None:
    """The arrays of a state dict by name; None for any other file, and for one that is broken.

    Nothing that a pickle names is run, but for what builds arrays.

    Raises:
        OSError: the file cannot be read.
    """
    with file.open("rb") as stream:
        try:
            return _read(stream, file.stat().st_size)
        except OSError:
            raise
        except Exception:  # pickles of other content raise any kind
            return None


def _read(stream: BinaryIO, length: int) -> dict[str, npt.NDArray[Any]]:
    if (_Unpickler(stream, length).load(), _Unpickler(stream, length).load()) != (MAGIC, VERSION):
        raise pickle.UnpicklingError("another format")
    _Unpickler(stream, length).load()
    unpickler = _Unpickler(stream, length)
    state = unpickler.load()
    storages = unpickler.storages
    for key in _Unpickler(stream, length).load():
        storage = storages[key]
        if int.from_bytes(stream.read(8), "little") != len(storage):
            raise pickle.UnpicklingError("a storage of another length")
        if stream.readinto(storage.view(np.uint8)) != storage.nbytes:  # type: ignore[attr-defined]
            raise pickle.UnpicklingError("a storage that is cut off")
    if not all(isinstance(k, str) and isinstance(v, np.ndarray) for k, v in state.items()):
        raise pickle.UnpicklingError("not a state dict")
    return dict(state)


class _Unpickler(pickle.Unpickler):
    """Builds arrays over storages whose bytes are still to be read.

    Args:
        stream: the pickle.
        length: of the whole file, which no storage exceeds.
    """

    def __init__(self, stream: BinaryIO, length: int) -> None:
        super().__init__(stream)
        self.storages: dict[str, npt.NDArray[Any]] = {}
        self._length = length

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle of a state dict names, and nothing else."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, told: Any) -> npt.NDArray[Any]:
        """A storage, by its type, key, device, length, and the storage that it is a part of."""
        kind, dtype, key, _, count, part_of = told
        if kind != "storage" or part_of is not None or count * dtype.itemsize > self._length:
            raise pickle.UnpicklingError("another storage")
        return self.storages.setdefault(key, np.empty(count, dtype))


def _tensor(
    storage: npt.NDArray[Any], offset: int, shape: Sequence[int], strides: Sequence[int], *_: object
) -> npt.NDArray[Any]:
    """An array that lies in a storage: by the number where it begins, and those from one to the
    next along each axis."""
    if min(offset, *shape, *strides, 0) < 0:
        raise pickle.UnpicklingError("an array that begins before its storage")
    along = [(length - 1) * stride for length, stride in zip(shape, strides, strict=True)]
    if 0 not in shape and offset + sum(along) >= len(storage):
        raise pickle.UnpicklingError("an array that goes beyond its storage")
    steps = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps)
