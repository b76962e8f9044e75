"""Protects the command that exports: what is there, what goes together, and sessions' own masks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Vostool
from tests.writers.made import Export
from vostool.images import read_mask
from vostool.writers import WRITERS
from vostool.writers.png import mask_file


@pytest.mark.parametrize("form", ["coco", "binary", "label-studio", "labelme", "numpy", "yolo"])
def test_what_is_there_is_not_written_over(
    folder: Path, export: Export, vostool: Vostool, form: str
) -> None:
    out = folder / f"out{WRITERS[form].suffix}"
    if WRITERS[form].suffix:
        out.write_text("mine")
    else:
        out.mkdir()
        (out / "mine").write_text("mine")
    clip = ("--clip", "clip") if WRITERS[form].shows_frames else ()
    refused = vostool("export", "swan", "--as", form, "--out", out, *clip)
    assert refused.status == 1 and "vostool did not" in refused.errors[0]
    assert ((out / "mine") if out.is_dir() else out).read_text() == "mine"
    export(form, "--force")
    assert not (out / "mine").exists()


def test_a_folder_of_vostools_is_replaced(export: Export) -> None:
    export("binary")
    export("binary")


def test_what_fails_midway_leaves_nothing(folder: Path, vostool: Vostool) -> None:
    file = mask_file(folder / "swan", 4)
    Image.new("RGB", (4, 4)).save(file)
    for form in WRITERS:
        ground = ("--background", "red") if WRITERS[form].shows_background else ()
        done = vostool("export", "swan", "--as", form, "--clip", "clip", "--out", "out", *ground)
        assert done.status == 1 and str(file.name) in done.errors[0]
        assert sorted(entry.name for entry in folder.iterdir() if entry.name != "store") == [
            "clip", "swan",
        ]  # fmt: skip


def test_what_does_not_go_together_is_refused(folder: Path, vostool: Vostool) -> None:
    refused = {
        ("swan", "--as", "yolo", "--out", "o"): (2, "--clip"),
        ("swan", "--as", "coco", "--clip", "clip", "--frames", "0:3", "--out", "o"): (
            1,
            "--frames",
        ),
        ("clip", "--as", "coco", "--out", "o"): (1, "no masks"),
        ("none", "--as", "coco", "--out", "o"): (2, "--adapter"),
        ("--adapter", "a.h5", "--clip", "clip", "--as", "coco", "--out", "o"): (2, "--clip"),
        ("swan", "--as", "binary", "--out", "swan"): (1, "reads it"),
        ("swan", "--as", "nothing", "--out", "o"): (2, "nothing"),
    }
    for arguments, (status, word) in refused.items():
        done = vostool("export", *arguments)
        assert done.status == status and word in done.err, done.err
    mask_file(folder / "swan", 2).unlink()
    done = vostool("export", "swan", "--as", "coco", "--out", "o")
    assert done.status == 1 and "00002.png" in done.errors[0]


def test_the_objects_of_a_session_are_its_objects_alone(
    square_adapter: Path, tmp_path: Path, vostool: Vostool
) -> None:
    """Background is no object."""
    done = vostool("export", "--adapter", square_adapter, "--as", "coco", "--out", "o.json")
    assert done.status == 0, done.err
    document = json.loads((tmp_path / "o.json").read_text())
    assert [category["id"] for category in document["categories"]] == [1]


@pytest.mark.parametrize("form", ["numpy", "davis"])
def test_masks_of_a_session_are_those_that_render_writes(
    square_adapter: Path, tmp_path: Path, vostool: Vostool, form: str
) -> None:
    out = tmp_path / f"out{WRITERS[form].suffix}"
    exported = vostool("export", "--adapter", square_adapter, "--as", form, "--out", out)
    rendered = vostool("render", "--adapter", square_adapter, "--out", tmp_path / "masks")
    assert exported.status == rendered.status == 0, exported.err
    files = sorted((tmp_path / "masks").glob("*.png"))
    masks = np.stack([read_mask(file) for file in files])
    assert masks.any()
    if form == "numpy":
        again = np.load(out)
    else:
        made = sorted((out / "Annotations" / "480p" / "square").iterdir())
        again = np.stack([read_mask(file) for file in made])
    np.testing.assert_array_equal(again, masks)
