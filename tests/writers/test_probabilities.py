"""Protects what only a decoder knows: probabilities, soft alpha, masks that overlap."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import OpenEXR
import pytest
from PIL import Image

from tests.conftest import Vostool
from tests.writers.made import alpha_frames, alpha_plane, coco_mask, vp9_frames
from vostool.adapter import Adapter
from vostool.cleaning import Cleaning
from vostool.opening import OpenClip
from vostool.session import Session
from vostool.store import FeatureStore


def probabilities(adapter: Path, folder: Path) -> npt.NDArray[np.float32]:
    """(T, K + 1, H, W), through Python."""
    store = FeatureStore(folder / "store")
    session = Session.resume(store, [Adapter.read(adapter)], device="cpu")
    numbered = list(session.probabilities())
    assert [frame for frame, _ in numbered] == list(range(session.frames))
    return np.stack([one for _, one in numbered])


def test_probabilities_are_what_masks_are_made_of(two_objects: Path, tmp_path: Path) -> None:
    """Alpha, own masks and maps tell of the very masks that are rendered."""
    every = probabilities(two_objects, tmp_path)
    np.testing.assert_allclose(every.sum(axis=1), 1, atol=1e-5)
    session = Session.resume(FeatureStore(tmp_path / "store"), [Adapter.read(two_objects)])
    masks = np.stack([mask for _, mask in session.masks()])
    assert set(np.unique(masks)) == {0, 1, 2}
    np.testing.assert_array_equal(every.argmax(axis=1), masks)


@pytest.mark.parametrize(
    ("form", "white", "kind"),
    [("probabilities", 255, "uint8"), ("probabilities-16", 65535, "uint16")],
)
def test_probability_maps(
    two_objects: Path, tmp_path: Path, vostool: Vostool, form: str, white: int, kind: str
) -> None:
    done = vostool("export", "--adapter", two_objects, "--as", form, "--out", "maps")
    assert done.status == 0, done.err
    every = probabilities(two_objects, tmp_path)
    for object_id in (1, 2):
        for frame in range(12):
            file = tmp_path / "maps" / str(object_id) / f"{frame:05d}.png"
            image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
            assert image is not None and image.dtype == kind
            assert np.abs(image / white - every[frame, object_id]).max() <= 0.501 / white
    assert not (tmp_path / "maps" / "0").exists()


def test_soft_alpha_is_the_probability_of_any_object(
    two_objects: Path, tmp_path: Path, vostool: Vostool
) -> None:
    want = 1 - probabilities(two_objects, tmp_path)[:, 0]
    assert ((want > 0.1) & (want < 0.9)).any()
    made = {"cutout": "s", "png-mov": "s.mov", "prores": "p.mov", "exr": "e", "vp9": "v.webm"}
    for form, out in made.items():
        done = vostool("export", "--adapter", two_objects, "--as", form, "--soft", "--out", out)
        assert done.status == 0, done.err
    files = sorted((tmp_path / "s").glob("*.png"))
    pictures = [np.asarray(Image.open(file))[..., 3] for file in files]
    np.testing.assert_array_equal(pictures, np.rint(255 * want))
    lossless = [picture[..., 3] for picture in alpha_frames(tmp_path / "s.mov")]
    np.testing.assert_array_equal(lossless, pictures)
    for frame, picture in enumerate(pictures):
        with OpenEXR.File(str(tmp_path / "e" / f"{frame:05d}.exr")) as opened:
            alpha = opened.channels()["RGBA"].pixels[..., 3]
        np.testing.assert_allclose(255 * alpha.astype(float), picture, atol=0.13)
    rough = np.array([alpha_plane(picture) for picture in vp9_frames(tmp_path / "v.webm")], int)
    assert np.abs(rough - np.array(pictures)).mean() < 2
    coded = np.array([picture[:96, :128, 3] for picture in alpha_frames(tmp_path / "p.mov")], int)
    assert np.abs(coded - np.array(pictures)).max() <= 1


def test_own_masks_overlap_where_objects_are_in_dispute(
    two_objects: Path, tmp_path: Path, vostool: Vostool
) -> None:
    every = probabilities(two_objects, tmp_path)
    want = every[:, 1:] > every[:, :1]
    assert want.all(axis=1).any(), "nothing is in dispute"
    options = ("--adapter", two_objects, "--overlap", "--out")
    assert vostool("export", "--as", "binary", *options, "own").status == 0
    assert vostool("export", "--as", "coco", *options, "own.json").status == 0
    for number, object_id in enumerate((1, 2)):
        files = sorted((tmp_path / "own" / str(object_id)).iterdir())
        images = np.stack([np.asarray(Image.open(file)) for file in files])
        np.testing.assert_array_equal(images > 0, want[:, number])
    again = np.zeros_like(want)
    for annotation in json.loads((tmp_path / "own.json").read_text())["annotations"]:
        mask = coco_mask(annotation["segmentation"])
        again[annotation["image_id"] - 1, annotation["category_id"] - 1] = mask > 0
    np.testing.assert_array_equal(again, want)
    done = vostool("export", "--as", "binary", "--largest", *options, "cleaned")
    assert done.status == 0, done.err
    for number in (0, 1):
        (clean,) = Cleaning(largest=True).clean([want[7, number].astype(np.uint8)])
        file = tmp_path / "cleaned" / str(number + 1) / "00007.png"
        np.testing.assert_array_equal(np.asarray(Image.open(file)) > 0, clean > 0)


def test_what_needs_probabilities_says_so(
    folder: Path, square_store: FeatureStore, square_scribbles: Path, vostool: Vostool
) -> None:
    session = OpenClip(square_store.clip("square")).session(preset="paper", device="cpu")
    session.add_scribbles(square_scribbles)
    session.adapter.write(folder / "paper.h5")
    for words, want in {
        ("swan", "--as", "probabilities"): "--adapter",
        ("swan", "--as", "cutout", "--clip", "clip", "--soft"): "--adapter",
        ("swan", "--as", "coco", "--overlap"): "--adapter",
        ("--adapter", "paper.h5", "--as", "probabilities"): "with a decoder",
        ("swan", "--as", "coco", "--soft"): "cutout",
        ("swan", "--as", "numpy", "--overlap"): "yolo",
    }.items():
        done = vostool("export", *words, "--out", "o")
        assert done.status == 2 and want in done.err, done.err
        assert not (folder / "o").exists()
