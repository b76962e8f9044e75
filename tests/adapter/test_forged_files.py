"""Protects from adapter files that were not written by vostool: refused in one line, by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapter.adapters import some_adapter
from vostool.adapter import Adapter
from vostool.adapter.file import _digest
from vostool.errors import AdapterError
from vostool.presets import FEATURES, PRESETS
from vostool.store import STAGES_OF

Change = Callable[[h5py.File], None]


def written(file: Path) -> Path:
    some_adapter().write(file)
    return file


def put(name: str, value: Any) -> Change:
    def change(h5: h5py.File) -> None:
        del h5[name]
        h5[name] = value

    return change


def huge(h5: h5py.File) -> None:
    del h5["W"]
    h5.create_dataset("W", shape=(1 << 40, 3), dtype="f8", chunks=(1 << 20, 3))


def words(h5: h5py.File) -> None:
    del h5["samples/x"]
    h5.create_dataset("samples/x", data=["1"] * 6, dtype=h5py.string_dtype())


def in_json(attribute: str, key: str, value: Any) -> Change:
    def change(h5: h5py.File) -> None:
        document = json.loads(h5.attrs[attribute])
        h5.attrs[attribute] = json.dumps({**document, key: value})

    return change


def in_clip(key: str, value: Any) -> Change:
    def change(h5: h5py.File) -> None:
        (clip,) = json.loads(h5["clips"][()].tobytes())
        text = json.dumps([{**clip, key: value}]).encode()
        put("clips", np.frombuffer(text, np.uint8))(h5)

    return change


def attribute(name: str, value: Any) -> Change:
    return lambda h5: h5.attrs.__setitem__(name, value)


@pytest.mark.parametrize(
    "change",
    [
        huge,
        words,
        put("W", np.zeros((4, 3), np.complex128)),
        put("W", np.zeros((4, 3), np.int64)),
        put("statistics/counts", np.array([b"a", b"b", b"c"])),
        put("object_ids", np.array([0.0, 5.0, 9.0])),
        put("samples/frame", np.full(6, -1)),
        put("samples/x", np.full(6, 64)),
        put("samples/y", np.full(6, 48)),
        put("strokes/object_id", np.full(8, 256)),
        put("strokes/object_id", np.full(8, 7)),
        put("strokes/frame", np.full(8, 0.5)),
        attribute("provenance", "{not json"),
        attribute("provenance", "[" * 100_000),
        attribute("provenance", np.zeros(3)),
        attribute("format", np.zeros(3)),
        in_json("provenance", "features", "pixels"),
        in_clip("name", 5),
        in_json("provenance", "seed", -1),
        in_json("provenance", "seed", "x"),
        in_clip("size", [0, 64]),
        in_clip("size", ["a", "b"]),
        in_clip("scribbles", [1]),
        in_json("provenance", "networks", []),
        in_json("provenance", "more", 1),
        in_clip("more", 1),
        in_clip("features_key", 1),
        in_json("preset", "features", ["both"]),
        in_json("preset", "ridge", "10"),
        in_json("preset", "ridge", 0),
        in_json("preset", "ridge", float("nan")),
        in_json("preset", "decoder", "yes"),
        in_json("preset", "boundary_margin", None),
        in_json("preset", "boundary_margin", True),
        in_json("preset", "more", 1),
    ],
)
def test_a_forged_part_is_refused(tmp_path: Path, change: Change) -> None:
    file = written(tmp_path / "a.h5")
    with h5py.File(file, "a") as h5:
        change(h5)
        with suppress(ValueError, MemoryError):  # the digest's own checks
            h5.attrs["digest"] = _digest(h5)
    with pytest.raises(AdapterError, match=r"a\.h5: not a whole adapter file \(") as caught:
        Adapter.read(file)
    assert "\n" not in str(caught.value)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    adapter = Adapter.read(written(tmp_path / "a.h5"))
    assert asdict(adapter.preset) == asdict(PRESETS["default"]) and adapter.object_ids == (0, 5, 9)


def test_the_features_are_those_of_the_store() -> None:
    assert set(FEATURES) == set(STAGES_OF)


def attributes() -> st.SearchStrategy[Any]:
    values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    return st.recursive(values, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_forged_value_anywhere_ends_in_an_adapter_or_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = written(tmp_path_factory.getbasetemp() / "forged.h5")
    what = data.draw(st.sampled_from(["provenance", "preset"]))
    with h5py.File(file, "a") as h5:
        document = json.loads(h5.attrs[what])
        document[data.draw(st.sampled_from([*document, "more"]))] = data.draw(attributes())
        h5.attrs[what] = json.dumps(document)
        if data.draw(st.booleans()):
            name = data.draw(st.sampled_from(["W", "samples/x", "strokes/round", "object_ids"]))
            kind = data.draw(st.sampled_from(["f4", "i1", "u8", "c8", "S3", "?"]))
            shape = data.draw(st.lists(st.integers(0, 6), max_size=3))
            put(name, np.ones(shape).astype(kind))(h5)
    try:
        Adapter.read(file)
    except AdapterError as problem:
        assert str(file) in str(problem) and "\n" not in str(problem)
