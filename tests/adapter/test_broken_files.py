"""Protects the rounds that a person has drawn: an adapter file is whole, or it is refused.

A failing write leaves the file that was there; a file that is cut, overwritten or put together
wrongly is told in one line, never by a traceback or by masks from garbage.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapter.adapters import some_adapter
from vostool.adapter import Adapter
from vostool.errors import AdapterError, OutputError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    some_adapter().write(tmp_path / "a.h5")
    return tmp_path / "a.h5"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("whole") / "a.h5"
    some_adapter().write(file)
    return file.read_bytes()


def drop(name: str) -> Callable[[h5py.File], None]:
    return lambda h5: h5.__delitem__(name)


def put(name: str, value: object) -> Callable[[h5py.File], None]:
    def change(h5: h5py.File) -> None:
        del h5[name]
        h5[name] = value

    return change


def put_attribute(name: str, value: object) -> Callable[[h5py.File], None]:
    return lambda h5: h5.attrs.__setitem__(name, value)


@pytest.mark.parametrize(
    "change",
    [
        drop("W"),
        drop("object_ids"),
        drop("statistics"),
        drop("samples/round"),
        drop("samples/clip"),
        drop("clips"),
        put("W", 5),
        put("W", np.zeros((4, 2))),
        put("W", np.zeros(12)),
        put("W", "text"),
        put("W", np.full((4, 3), np.nan)),
        put("object_ids", [0, 5]),
        put("object_ids", [0, 5, 256]),
        put("object_ids", [1, 5, 9]),
        put("statistics/counts", np.zeros(2)),
        put("statistics/sums", np.zeros((3, 5))),
        put("statistics/gram", np.zeros((4, 5))),
        put("samples/x", np.zeros(7, np.int64)),
        put_attribute("format", "vostool adapter 0"),
        put_attribute("format", 5),
        put_attribute("preset", "{"),
        put_attribute("preset", "[]"),
        put_attribute("preset", json.dumps({"ridge": 1.0})),
        put_attribute("provenance", "null"),
        put_attribute("provenance", "{}"),
        put_attribute("provenance", 7),
    ],
)
def test_a_part_that_is_missing_or_does_not_fit_is_refused(
    file: Path, change: Callable[[h5py.File], None]
) -> None:
    with h5py.File(file, "a") as h5:
        change(h5)
    with pytest.raises(AdapterError, match=r"a\.h5: not a") as caught:
        Adapter.read(file)
    assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_cut_anywhere_is_refused(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = tmp_path_factory.getbasetemp() / "cut.h5"
    file.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(AdapterError, match=r"cut\.h5"):
        Adapter.read(file)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_overwritten_bytes_never_end_in_a_traceback(
    whole: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = tmp_path_factory.getbasetemp() / "overwritten.h5"
    content = bytearray(whole)
    at = data.draw(st.integers(0, len(whole) - 1))
    junk = data.draw(st.binary(min_size=1, max_size=8))
    content[at : at + len(junk)] = junk
    file.write_bytes(content[: len(whole)])
    try:
        Adapter.read(file)
    except AdapterError as problem:
        assert str(file) in str(problem)


def test_a_folder_is_no_adapter(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="no such file"):
        Adapter.read(tmp_path)


def test_a_write_that_fails_leaves_the_file_that_was_there(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        replace(some_adapter(), W=np.zeros((4, 3))).write(file)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_full_disk_leaves_the_file_that_was_there(file: Path) -> None:
    """A limit on file sizes stands in for the disk."""
    before = file.read_bytes()
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from tests.adapter.adapters import some_adapter\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "some_adapter(256).write(Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("vostool.errors.OutputError: "), done.stderr
    assert "cannot be written" in done.stderr
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_in_the_files_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.h5").mkdir()
    with pytest.raises(OutputError, match=r"a\.h5: is there"):
        some_adapter().write(tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.h5"]
