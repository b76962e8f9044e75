"""Protects masks that are known: what another tool made is what is learnt from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Vostool, square_mask
from vostool.errors import ScribbleError
from vostool.images import read_mask
from vostool.known_masks import SEAM, read_known_masks
from vostool.scribbles import BACKGROUND, UNMARKED
from vostool.store import FeatureStore


def write(folder: Path, masks: dict[str, np.ndarray]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, mask in masks.items():
        Image.fromarray(mask.astype(np.uint8)).save(folder / name)
    return folder


def test_all_pixels_are_strokes_but_for_the_seam(tmp_path: Path) -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 10:30], mask[10:30, 30:50] = 1, 7
    mask[0:5, 0:5] = 255
    mask[35, 55] = 3
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / ".vostool.json").write_text("{}")
    (tmp_path / "m" / "notes.png").write_text("no frame")
    scribbles = read_known_masks(write(tmp_path / "m", {"00012.png": mask}))
    assert scribbles.annotated_frames == [12] and scribbles.object_ids == [1, 3, 7]
    marks = scribbles.stroke_map(12, mask.shape)
    assert (marks[10 + SEAM : 30 - SEAM, 10 + SEAM : 30 - SEAM] == 1).all()
    assert (marks[15:25, 30 - SEAM : 30 + SEAM] == UNMARKED).all()
    assert (marks[:5, :5] == UNMARKED).all(), "of what is unknown nothing is said"
    assert marks[35, 55] == 3, "what is thin is not lost"
    assert marks[38, 20] == BACKGROUND


def test_black_and_white_is_one_object(tmp_path: Path) -> None:
    white = square_mask(0) * 255
    scribbles = read_known_masks(write(tmp_path / "m", {"0.png": white, "5.png": 0 * white}))
    assert scribbles.object_ids == [1] and scribbles.annotated_frames == [0, 5]


def test_what_cannot_be_learnt_from_is_refused(tmp_path: Path) -> None:
    empty = np.zeros((9, 9), np.uint8)
    for masks, word in (
        ({}, "no masks"),
        ({"a.png": empty}, "no masks"),
        ({"1.png": empty, "2.png": empty}, "no object"),
        ({"1.png": empty + 1, "01.png": empty}, "another mask"),
    ):
        folder = write(tmp_path / word.replace(" ", "-"), masks)
        with pytest.raises(ScribbleError, match=word) as problem:
            read_known_masks(folder)
        assert str(folder) in str(problem.value)
    with pytest.raises(ScribbleError, match="no masks"):
        read_known_masks(tmp_path / "nothing")


def test_the_command_line_learns_from_masks_and_then_from_strokes(
    square_store: FeatureStore, square_scribbles: Path, tmp_path: Path, vostool: Vostool
) -> None:
    write(tmp_path / "known", {"00002.png": square_mask(2) * 5})
    done = vostool("adapt", "square", "--masks", "known", "--out", "a.h5", "--json")
    assert done.status == 0, done.err
    assert json.loads(done.out)["objects"] == [5] and json.loads(done.out)["rounds"] == 1
    assert vostool("render", "--adapter", "a.h5", "--out", "masks").status == 0
    for frame in (2, 9):
        found, true = read_mask(tmp_path / "masks" / f"{frame:05d}.png") == 5, square_mask(frame)
        assert (found & true).sum() / (found | true).sum() > 0.9
    both = vostool("adapt", "square", "--masks", "known", "--scribbles", square_scribbles,
                   "--out", "b.h5", "--json")  # fmt: skip
    assert json.loads(both.out)["rounds"] == 2 and json.loads(both.out)["objects"] == [1, 5]


def test_neither_strokes_nor_masks_is_wrong_usage(
    square_store: FeatureStore, vostool: Vostool, tmp_path: Path
) -> None:
    done = vostool("adapt", "square", "--out", "a.h5")
    assert done.status == 2 and "--masks" in done.err
    write(tmp_path / "known", {"00002.png": np.ones((7, 7))})
    done = vostool("adapt", "square", "--masks", "known", "--out", "a.h5")
    assert done.status == 1 and "7x7" in done.errors[0]
