"""Writes TensorFlow checkpoints in small, to the letter of the format, for tests of the reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

TYPES = {"float32": 1, "int32": 3, "int64": 9, "float16": 19}
RESTART_EVERY, BLOCK = 16, 4096


def write_bundle(
    prefix: Path, tensors: dict[str, npt.NDArray[np.generic]], shards: int = 1
) -> Path:
    """Write ``PREFIX.index`` and ``PREFIX.data-…``; returns the index."""
    data = [bytearray() for _ in range(shards)]
    entries = {b"": _field(1, shards)}
    for number, (name, array) in enumerate(sorted(tensors.items())):
        shard, content = number % shards, array.tobytes()
        shape = b"".join(_nested(2, _field(1, side)) for side in array.shape)
        entries[name.encode()] = (
            _field(1, TYPES[array.dtype.name])
            + _nested(2, shape)
            + _field(3, shard)
            + _field(4, len(data[shard]))
            + _field(5, len(content))
            + b"\x35\x00\x00\x00\x00"  # the checksum, a fixed 32-bit field
        )
        data[shard] += content
    for shard, written in enumerate(data):
        Path(f"{prefix}.data-{shard:05d}-of-{shards:05d}").write_bytes(written)
    index = Path(f"{prefix}.index")
    index.write_bytes(_table(entries))
    return index


def _table(entries: dict[bytes, bytes]) -> bytes:
    file, handles, block = b"", {}, {}
    last = list(entries)[-1]
    for key, value in entries.items():
        block[key] = value
        if key == last or sum(len(k) + len(v) for k, v in block.items()) > BLOCK:
            content = _block(block)
            handles[key] = _varint(len(file)) + _varint(len(content))
            file += content + b"\x00" + bytes(4)
            block = {}
    parts = []
    for content in (_block({}), _block(handles)):  # the meta index, which is empty, and the index
        parts.append(_varint(len(file)) + _varint(len(content)))
        file += content + b"\x00" + bytes(4)
    return file + b"".join(parts).ljust(40, b"\x00") + bytes.fromhex("57fb808b247547db")


def _block(entries: dict[bytes, bytes]) -> bytes:
    content, restarts, before = b"", [], b""
    for number, (key, value) in enumerate(entries.items()):
        shared = 0
        if number % RESTART_EVERY == 0:
            restarts.append(len(content))
        else:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        content += _varint(shared) + _varint(len(key) - shared) + _varint(len(value))
        content += key[shared:] + value
        before = key
    restarts = restarts or [0]
    return content + b"".join(n.to_bytes(4, "little") for n in (*restarts, len(restarts)))


def _field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value) if value else b""


def _nested(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
