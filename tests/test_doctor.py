"""The doctor tells what is so: right answers from wrong ones, whole stores from broken ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Vostool
from vostool import doctor


def test_all_is_well_where_the_tests_run(vostool: Vostool, tmp_path: Path) -> None:
    done = vostool("doctor", "--json")
    findings = {row["about"]: row for row in map(json.loads, done.out.splitlines())}
    assert done.status == 0, done.out
    assert list(findings)[:6] == ["versions", "processor", "disk", "locks", "flush", "store"]
    assert "networks on cpu" in findings
    assert findings["versions"]["facts"]["torch"]
    assert not (tmp_path / "store").exists(), "looking makes nothing"
    lines = vostool("doctor").out.splitlines()
    assert len(lines) == len(findings) and all(line.startswith("ok ") for line in lines)


def test_wrong_answers_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = json.loads(doctor.REFERENCE.read_text())
    monkeypatch.setattr(
        doctor, "ask_networks", lambda device: {k: np.array(v) for k, v in right.items()}
    )
    assert all(finding.well for finding in doctor.networks(tmp_path))
    wrong = {**right, "decoder": np.random.default_rng(0).normal(size=64)}
    monkeypatch.setattr(
        doctor, "ask_networks", lambda device: {k: np.array(v) for k, v in wrong.items()}
    )
    (finding, *_) = doctor.networks(tmp_path)
    assert not finding.well and "WRONG: decoder" in finding.told
    broken = {**right, "s8": np.full(64, np.nan)}
    monkeypatch.setattr(
        doctor, "ask_networks", lambda device: {k: np.array(v) for k, v in broken.items()}
    )
    (finding, *_) = doctor.networks(tmp_path)
    assert not finding.well and "WRONG: s8" in finding.told


def test_a_broken_stage_is_told(tmp_path: Path) -> None:
    stage = tmp_path / "clip.zarr" / "net" / "backbone"
    stage.mkdir(parents=True)
    (stage / "manifest.json").write_text("{}")
    (tmp_path / ".partial" / "other" / "net" / "context").mkdir(parents=True)
    (finding,) = doctor.stores(tmp_path)
    assert not finding.well and "not a whole stage" in finding.told
    assert finding.facts["unfinished"] == ["other net context"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (finding,) = doctor.disk(tmp_path / "file" / "store")
    assert finding.facts["place"] == str(tmp_path)
