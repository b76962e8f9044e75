"""Maps of doubt are of the very masks that are rendered, and of the curve that a page shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.conftest import Vostool
from vostool.adapter import Adapter
from vostool.images import read_mask
from vostool.masks import NO_DOUBT, doubt_of
from vostool.opening import OpenClip
from vostool.session import Session
from vostool.store import FeatureStore
from vostool.writers.png import mask_file

FRAMES = 12


def images(folder: Path) -> npt.NDArray[np.uint8]:
    """(T, H, W) grey."""
    files = sorted(folder.glob("*.png"))
    assert [file.name for file in files] == [f"{n:05d}.png" for n in range(FRAMES)]
    opened = [Image.open(file) for file in files]
    assert {image.mode for image in opened} == {"L"}
    return np.stack([np.asarray(image) for image in opened])


def labels(folder: Path) -> npt.NDArray[np.uint8]:
    return np.stack([read_mask(mask_file(folder, frame)) for frame in range(FRAMES)])


def test_maps_are_what_the_masks_and_their_confidence_are_made_of(
    square_adapter: Path, tmp_path: Path, vostool: Vostool
) -> None:
    done = vostool("render", "--adapter", square_adapter, "--out", "m", "--uncertainty", "doubt")
    assert done.status == 0, done.err
    assert vostool("render", "--adapter", square_adapter, "--out", "plain").status == 0
    masks, doubt = labels(tmp_path / "m"), images(tmp_path / "doubt") / 510
    np.testing.assert_array_equal(masks, labels(tmp_path / "plain"))
    assert doubt.max() > 0.4 and np.median(doubt) < 0.01
    session = Session.resume(FeatureStore(tmp_path / "store"), [Adapter.read(square_adapter)])
    for frame, probabilities in session.probabilities():
        assert np.abs(doubt_of(probabilities) - doubt[frame]).max() <= 0.501 / 510
        inside, sure = masks[frame] > 0, session.mask_with_confidence(frame)[1]
        missed = np.maximum(0, doubt[frame][~inside] - NO_DOUBT).sum()
        assert (1 - doubt[frame][inside]).sum() / (inside.sum() + missed) == pytest.approx(
            sure, abs=0.02
        )
    words = ("export", "--adapter", square_adapter, "--as", "uncertainty", "--out", "again")
    assert vostool(*words).status == 0
    np.testing.assert_array_equal(images(tmp_path / "again"), images(tmp_path / "doubt"))


def test_masks_that_are_cleaned_keep_their_doubt(
    square_adapter: Path, tmp_path: Path, vostool: Vostool
) -> None:
    words = ("render", "--adapter", square_adapter, "--out", "m", "--uncertainty")
    assert vostool(*words, "a").status == vostool(*words, "b", "--smooth", 1).status == 0
    np.testing.assert_array_equal(images(tmp_path / "a"), images(tmp_path / "b"))


def test_two_objects_at_odds_are_in_doubt_though_neither_is_background() -> None:
    probabilities = np.array([0.02, 0.49, 0.49, 0.7, 0.2, 0.1], np.float32).reshape(2, 3).T
    np.testing.assert_allclose(doubt_of(probabilities[:, None]), [[0.5, 0.2 / 0.9]], rtol=1e-6)


def test_what_cannot_be_is_refused_and_nothing_is_written(
    square_adapter: Path, square_store: FeatureStore, square_scribbles: Path, tmp_path: Path,
    vostool: Vostool,
) -> None:  # fmt: skip
    session = OpenClip(square_store.clip("square")).session(preset="paper", device="cpu")
    session.add_scribbles(square_scribbles)
    session.adapter.write(tmp_path / "paper.h5")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    for adapter, folder, more, want in (
        ("paper.h5", "d", (), "no decoder"),
        (square_adapter, "m", (), "reads it"),
        (square_adapter, "m/d", (), "lies in"),
        (square_adapter, "mine", (), "thesis.txt"),
        (square_adapter, ".", (), "holds"),
        (square_adapter, "d", ("--refine", "--refiner-weights", "w.pth"), "goes without"),
    ):
        words = ("render", "--adapter", adapter, "--out", "m", "--uncertainty", folder, *more)
        done = vostool(*words)
        assert done.status in (1, 2) and want in done.err, done.err
        assert not (tmp_path / "m").exists() and not (tmp_path / "d").exists()
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"
