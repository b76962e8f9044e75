"""Masks are made again where what they are made from is another, and only there."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.batch.stubs import stub_task
from tests.conftest import Vostool
from vostool.adapter import Adapter
from vostool.batch.missing import Stamps
from vostool.batch.task import Task, in_order, needed
from vostool.errors import AdapterError, UsageError
from vostool.outputs import listed_origin


@pytest.fixture
def rendered(vostool: Vostool, square_adapter: Path, tmp_path: Path) -> Task:
    """A task whose one clip is made: the square, its masks by the adapter."""
    task = replace(stub_task(tmp_path, ("extract", "render")), adapter=str(square_adapter))
    out = task.masks("square")
    done = vostool("render", "square", "--adapter", square_adapter, "--out", out)
    assert done.status == 0, done.err
    return task


def missing(task: Task, tmp_path: Path) -> tuple[str, ...]:
    return Stamps(task).look("square", str(tmp_path / "square")).missing


def test_masks_of_the_adapter_are_done(rendered: Task, tmp_path: Path) -> None:
    assert missing(rendered, tmp_path) == ()
    shutil.rmtree(rendered.masks("square"))
    assert missing(rendered, tmp_path) == ("render",)


def test_another_adapter_and_other_masks_make_them_again(
    vostool: Vostool, rendered: Task, tmp_path: Path
) -> None:
    adapter = Adapter.read(str(rendered.adapter))
    replace(adapter, W=adapter.W * 1.001).write(tmp_path / "b.h5")
    assert missing(replace(rendered, adapter=str(tmp_path / "b.h5")), tmp_path) == ("render",)
    shutil.copy(str(rendered.adapter), tmp_path / "copy.h5")
    assert missing(replace(rendered, adapter=str(tmp_path / "copy.h5")), tmp_path) == ()

    out = rendered.masks("square")
    words = ("render", "square", "--adapter", str(rendered.adapter), "--out", out)
    assert vostool(*words, "--fill-holes").status == 0
    assert listed_origin(out)["cleaning"]["fill_holes"] is True
    assert missing(rendered, tmp_path) == ("render",), "cleaned ones are others"


def test_a_note_that_is_none_is_no_stamp(rendered: Task, tmp_path: Path) -> None:
    listing = rendered.masks("square") / ".vostool.json"
    stored = json.loads(listing.read_text())
    for content in ("", "{", "[]", json.dumps({**stored, "made_from": None})):
        listing.write_text(content)
        assert missing(rendered, tmp_path) == ("render",)


def test_an_adapter_of_other_networks_is_refused_before_anything_runs(
    rendered: Task, tmp_path: Path
) -> None:
    with pytest.raises(AdapterError, match="network height 480 is now 240"):
        Stamps(replace(rendered, network_height=240))


def test_the_stages_that_masks_need(rendered: Task) -> None:
    adapter = Adapter.read(str(rendered.adapter))
    assert needed(adapter) == ("extract", "render")
    reads_both = replace(adapter, provenance=replace(adapter.provenance, features="both"))
    assert needed(reads_both) == ("extract", "propagate", "render")
    assert needed(None) == ("extract",)
    assert in_order("render, extract") == ("extract", "render")
    with pytest.raises(UsageError, match="no stage ''"):
        in_order("")
