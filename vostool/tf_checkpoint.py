"""Reading a TensorFlow checkpoint (``NAME.index`` and ``NAME.data-…``) without TensorFlow.

The index is a table of LevelDB's kind: blocks of keys in order, each sharing a prefix with the one
before it, and at the end a footer that says where the block of blocks lies. A key is a tensor's
name, its value the message BundleEntryProto: type, shape, shard, offset, size and checksum. The
format is that of tensorflow/core/util/tensor_bundle, and has not changed since version 1.0.

TensorFlow itself is the one well-kept reader there is, and is 1.6 GB to install.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vostool.errors import WeightsError

TF_INDEX = ".index"
"""How the name of a checkpoint's index ends."""
MAGIC = bytes.fromhex("57fb808b247547db")
FOOTER = 48
TRAILER = 5
"""After each block: one byte that names its compression, and a checksum of four."""
TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
"""Of tensors, by TensorFlow's number; a checkpoint of a network has no others of use."""
WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_32 = 0, 1, 2, 5
DTYPE, SHAPE, SHARD, OFFSET, SIZE = 1, 2, 3, 4, 5
"""BundleEntryProto's fields."""

Message = dict[int, list[int | bytes]]


def read_tf_checkpoint(index: Path) -> dict[str, npt.NDArray[np.generic]]:
    """All tensors of a checkpoint, by name.

    Args:
        index: its ``.index``; the data lie beside it.

    Raises:
        WeightsError: a file is missing, cut short, or no checkpoint's.
    """
    try:
        content = index.read_bytes()
        entries = {key.decode(): _message(value) for key, value in _table(content)}
        shards = int(_first(entries.pop(""), 1))
        prefix = str(index).removesuffix(TF_INDEX)
        data = [
            Path(f"{prefix}.data-{shard:05d}-of-{shards:05d}").read_bytes()
            for shard in range(shards)
        ]
        return {name: _tensor(entry, data) for name, entry in entries.items()}
    except OSError as problem:
        raise WeightsError(f"{problem.filename or index}: cannot be read") from problem
    except (IndexError, KeyError, ValueError, UnicodeDecodeError) as problem:
        raise WeightsError(f"{index}: not a whole TensorFlow checkpoint ({problem})") from problem


def _tensor(entry: Message, data: list[bytes]) -> npt.NDArray[np.generic]:
    number = int(_first(entry, DTYPE))
    if number not in TYPES:
        raise ValueError(f"tensors of type {number} are not known")
    sizes = _message(_bytes(entry, SHAPE)).get(2, [])
    shape = [int(_first(_message(size), 1)) for size in sizes if isinstance(size, bytes)]
    start, size = int(_first(entry, OFFSET)), int(_first(entry, SIZE))
    content = data[int(_first(entry, SHARD))][start : start + size]
    return np.frombuffer(content, TYPES[number]).reshape(shape).copy()


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a table, in order."""
    footer = content[-FOOTER:]
    if footer[-len(MAGIC) :] != MAGIC:
        raise ValueError("no table of tensors")
    _, at = _handle(footer, 0)
    (start, size), _ = _handle(footer, at)
    for _, value in _block(content, start, size):
        (start, size), _ = _handle(value, 0)
        yield from _block(content, start, size)


def _block(content: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    block = content[start : start + size]
    if content[start + size] != 0:
        raise ValueError("a compressed index; write the checkpoint again with TensorFlow 1.2 on")
    restarts = int.from_bytes(block[-4:], "little")
    end, at, key = len(block) - 4 * (restarts + 1), 0, b""
    while at < end:
        shared, at = _varint(block, at)
        unshared, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + unshared]
        at += unshared
        yield key, block[at : at + length]
        at += length


def _handle(content: bytes, at: int) -> tuple[tuple[int, int], int]:
    """Where a block lies: its start and size."""
    start, at = _varint(content, at)
    size, at = _varint(content, at)
    return (start, size), at


def _message(content: bytes) -> Message:
    """A protocol buffer's fields by number."""
    fields: Message = {}
    at = 0
    while at < len(content):
        tag, at = _varint(content, at)
        wire = tag & 7
        value: int | bytes
        if wire == WIRE_VARINT:
            value, at = _varint(content, at)
        elif wire == WIRE_BYTES:
            length, at = _varint(content, at)
            value, at = content[at : at + length], at + length
        elif wire in (WIRE_32, WIRE_64):
            length = 4 if wire == WIRE_32 else 8
            value, at = int.from_bytes(content[at : at + length], "little"), at + length
        else:
            raise ValueError(f"a field of wire type {wire}")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _first(message: Message, field: int) -> int:
    """A number of a message; 0 where it is left out, as protocol buffers do."""
    value = message.get(field, [0])[0]
    if not isinstance(value, int):
        raise ValueError(f"field {field} is no number")
    return value


def _bytes(message: Message, field: int) -> bytes:
    value = message.get(field, [b""])[0]
    if not isinstance(value, bytes):
        raise ValueError(f"field {field} is a number")
    return value


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
