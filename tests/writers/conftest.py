"""Masks and adapters to export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Vostool
from tests.writers.made import MASKS, Export, shown
from vostool.opening import OpenClip
from vostool.outputs import LISTING
from vostool.store import FeatureStore
from vostool.writers import WRITERS
from vostool.writers.png import mask_file, write_mask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The masks as ``vostool render`` leaves them, ``swan``, and the clip, ``clip``."""
    (tmp_path / "swan").mkdir()
    (tmp_path / "clip").mkdir()
    for frame, mask in enumerate(MASKS):
        write_mask(mask_file(tmp_path / "swan", frame), mask)
        Image.fromarray(shown(frame)).save(tmp_path / "clip" / f"im{frame}.png")
    (tmp_path / "swan" / LISTING).write_text("{}")
    (tmp_path / "swan" / "adapter.h5").write_text("no mask")
    return tmp_path


@pytest.fixture
def export(folder: Path, vostool: Vostool) -> Export:
    """Exports the masks in a format; gives what was made."""

    def call(form: str, *options: str) -> Path:
        if WRITERS[form].shows_frames:
            options = ("--clip", "clip", *options)
        out = folder / f"out{WRITERS[form].suffix}"
        done = vostool("export", "swan", "--as", form, "--out", out, *options)
        assert done.status == 0, done.err
        assert done.out == f"{out}\n"
        return out

    return call


@pytest.fixture
def two_objects(square_store: FeatureStore, tmp_path: Path) -> Path:
    """An adapter of the square as two objects, its left and its right half."""
    session = OpenClip(square_store.clip("square")).session(device="cpu")
    painted = np.full((96, 128), 255, np.uint8)
    painted[24:72, 16:38], painted[24:72, 42:64], painted[24:72, 38:42] = 1, 2, 0
    session.add_scribbles({2: painted})
    session.adapter.write(tmp_path / "two.h5")
    return tmp_path / "two.h5"
