"""An adapter file gives back what was written, and nothing else is taken for one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from vostool.adapter import (
    Adapter,
    Provenance,
    Samples,
    SufficientStatistics,
)
from vostool.errors import AdapterError, OutputError
from vostool.presets import PRESETS


@pytest.fixture
def adapter() -> Adapter:
    rng = np.random.default_rng(0)
    statistics = SufficientStatistics.empty(4).plus(
        rng.normal(size=(6, 4)), np.array([0, 0, 0, 5, 5, 9])
    )
    ids = np.array([0, 5, 9])
    samples, strokes = (
        Samples(*(part[rng.integers(0, len(part), n)] for part in (*[np.arange(9)] * 3, ids, ids)))
        for n in (6, 8)
    )
    provenance = Provenance(
        "clip", "net", "backbone", "key", {"clip": "f"}, (48, 64), ("a.json", "b.json"), 3, "0"
    )
    return Adapter(
        rng.normal(size=(4, 3)), statistics, samples, strokes, PRESETS["paper"], provenance
    )


def test_strokes_on_an_unknown_object_are_refused(adapter: Adapter, tmp_path: Path) -> None:
    columns = adapter.strokes.columns()
    columns["object_id"] = np.full(len(adapter.strokes), 7)
    replace(adapter, strokes=Samples(**columns)).write(tmp_path / "a.h5")
    with pytest.raises(AdapterError, match="strokes on an object that it does not know"):
        Adapter.read(tmp_path / "a.h5")


def test_round_trip(adapter: Adapter, tmp_path: Path) -> None:
    adapter.write(tmp_path / "a.h5")
    back = Adapter.read(tmp_path / "a.h5")
    assert back.object_ids == (0, 5, 9)
    assert back.preset == adapter.preset and back.provenance == adapter.provenance
    np.testing.assert_array_equal(back.W, adapter.W)
    np.testing.assert_array_equal(back.statistics.gram, adapter.statistics.gram)
    np.testing.assert_array_equal(back.samples.xy, adapter.samples.xy)
    np.testing.assert_array_equal(back.strokes.xy, adapter.strokes.xy)


def test_missing_file_tells_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="vostool adapt"):
        Adapter.read(tmp_path / "a.h5")


def test_other_files_are_none(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("hello")
    with h5py.File(tmp_path / "foreign.h5", "w") as h5:
        h5["x"] = 1
    for name in ("text.h5", "foreign.h5"):
        with pytest.raises(AdapterError, match=name):
            Adapter.read(tmp_path / name)


def test_a_truncated_file_is_none(adapter: Adapter, tmp_path: Path) -> None:
    adapter.write(tmp_path / "a.h5")
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AdapterError, match=r"a\.h5"):
        Adapter.read(tmp_path / "a.h5")


def test_a_folder_that_is_not_there(adapter: Adapter, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        adapter.write(tmp_path / "no" / "a.h5")
    assert not (tmp_path / "no").exists()
