"""Protects masks that come as COCO's JSON: what its own programs wrote is what is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from tests.conftest import Vostool, square_mask
from vostool.coco import UNKNOWN, read_coco_masks
from vostool.errors import ScribbleError
from vostool.images import Mask
from vostool.known_masks import read_known_masks
from vostool.store import FeatureStore

SIZE = (40, 60)
IMAGE = {"id": 5, "file_name": "shot/im_00012.jpg", "height": SIZE[0], "width": SIZE[1]}


def region(*corners: int) -> Mask:
    mask = np.zeros(SIZE, np.uint8)
    top, left, bottom, right = corners
    mask[top:bottom, left:right] = 1
    return mask


def packed(mask: Mask) -> dict[str, Any]:
    runs = coco.encode(np.asfortranarray(mask))
    return {"size": list(runs["size"]), "counts": runs["counts"].decode()}


def unpacked(mask: Mask) -> dict[str, Any]:
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat, prepend=0))
    return {"size": list(mask.shape), "counts": np.diff([0, *changes, flat.size]).tolist()}


def annotation(segmentation: Any, category: int = 1, **more: Any) -> dict[str, Any]:
    return {"image_id": 5, "category_id": category, "segmentation": segmentation, **more}


def written(folder: Path, *annotations: dict[str, Any], **more: Any) -> Path:
    file = folder / "coco.json"
    document = {"images": [IMAGE], "annotations": list(annotations), **more}
    file.write_text(json.dumps(document))
    return file


def test_every_kind_of_segmentation(tmp_path: Path) -> None:
    two = [[2.0, 2.0, 12.0, 2.0, 12.0, 12.0, 2.0, 12.0], [20, 20, 30, 20, 30, 30, 20, 30]]
    (mask,) = read_coco_masks(
        written(tmp_path, annotation(two, 3), annotation(packed(region(1, 40, 9, 50)), 4),
                annotation(unpacked(region(20, 40, 30, 55)), 5),
                annotation(unpacked(region(35, 0, 40, 9)), 5, iscrowd=1))
    ).values()  # fmt: skip
    want = np.zeros(SIZE, np.uint8)
    want[2:12, 2:12] = want[20:30, 20:30] = 3
    want[1:9, 40:50], want[20:30, 40:55], want[35:, :9] = 4, 5, UNKNOWN
    np.testing.assert_array_equal(mask, want)


def test_frames_are_the_numbers_of_names(tmp_path: Path) -> None:
    assert list(read_coco_masks(written(tmp_path, annotation(packed(region(1, 1, 9, 9)))))) == [12]


def test_objects_are_tracks_or_categories_or_in_their_order(tmp_path: Path) -> None:
    one, other = packed(region(0, 0, 9, 9)), packed(region(20, 20, 30, 30))
    tracks = [annotation(one, track_id=7), annotation(other, track_id=2)]
    assert set(np.unique(read_coco_masks(written(tmp_path, *tracks))[12])) == {0, 2, 7}
    alike = [annotation(one, 44), annotation(other, 44)]
    (mask,) = read_coco_masks(written(tmp_path, *alike)).values()
    assert (mask[4, 4], mask[25, 25]) == (1, 2)
    images = [IMAGE, {**IMAGE, "id": 6, "file_name": "13.jpg"}]
    alike.append(annotation(one, 44, image_id=6))
    with pytest.raises(ScribbleError, match="track_id"):
        read_coco_masks(written(tmp_path, *alike, images=images))


@pytest.mark.parametrize("form", ["coco", "youtube-vis"])
def test_what_was_exported_comes_back(tmp_path: Path, vostool: Vostool, form: str) -> None:
    from vostool.writers.png import mask_file, write_mask

    (tmp_path / "m").mkdir()
    masks = [cv2.circle(np.zeros(SIZE, np.uint8), (10 + 5 * t, 20), 8, 1 + t % 2, -1)
             for t in range(3)]  # fmt: skip
    for frame, mask in enumerate(masks):
        write_mask(mask_file(tmp_path / "m", frame), np.asarray(mask, np.uint8))
    done = vostool("export", "m", "--as", form, "--out", "m.json")
    assert done.status == 0, done.err
    again = read_coco_masks(tmp_path / "m.json")
    assert sorted(again) == [0, 1, 2]
    for frame, mask in enumerate(masks):
        np.testing.assert_array_equal(again[frame], mask)


def broken() -> dict[str, tuple[Any, str]]:
    good = annotation(packed(region(1, 1, 9, 9)))
    far = [1, 1, 1e9, 1, 1, 9]
    return {
        "text": ("{", "COCO"),
        "list": ([], "COCO"),
        "nothing": ({"images": [], "annotations": []}, "no object"),
        "no image": ({"images": [], "annotations": [good]}, "5 is missing"),
        "no number": (
            {"images": [{**IMAGE, "file_name": "a.jpg"}], "annotations": [good]}, "no number",
        ),
        "huge": ({"images": [{**IMAGE, "width": 10**9}], "annotations": [good]}, "image of"),
        "other size": ({"images": [{**IMAGE, "width": 61}], "annotations": [good]}, "in an image"),
        "id": ({"images": [IMAGE], "annotations": [{**good, "category_id": 300}]}, "1 to 254"),
        "far": ({"images": [IMAGE], "annotations": [annotation([far])]}, "outside"),
        "short": ({"images": [IMAGE], "annotations": [annotation([[1, 2]])]}, "polygon"),
        "runs": (
            {"images": [IMAGE], "annotations": [annotation({"size": SIZE, "counts": [3, 4]})]},
            "fill",
        ),
        "videos": ({"videos": [{}, {}], "annotations": []}, "2 videos"),
    }  # fmt: skip


@pytest.mark.parametrize("name", broken())
def test_what_is_broken_is_told(tmp_path: Path, name: str) -> None:
    content, word = broken()[name]
    file = tmp_path / "coco.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ScribbleError, match=word) as problem:
        read_known_masks(file)
    assert str(file) in str(problem.value) and "\n" not in str(problem.value)


@settings(max_examples=200, deadline=None)
@given(counts=st.text(max_size=12))
def test_run_lengths_of_any_text_end_no_process(
    tmp_path_factory: pytest.TempPathFactory, counts: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    file = written(folder, annotation({"size": list(SIZE), "counts": counts}))
    try:
        (mask,) = read_coco_masks(file).values()
    except ScribbleError:
        return
    assert mask.shape == SIZE and set(np.unique(mask)) <= {0, 1}


def test_the_command_line_learns_from_a_file(
    square_store: FeatureStore, tmp_path: Path, vostool: Vostool
) -> None:
    mask = square_mask(2).astype(np.uint8)
    image = {"id": 5, "file_name": "00002.png", "height": 96, "width": 128}
    written(tmp_path, annotation(packed(mask), 9), images=[image])
    done = vostool("adapt", "square", "--masks", "coco.json", "--out", "a.h5", "--json")
    assert done.status == 0, done.err
    assert json.loads(done.out)["objects"] == [9]
    none = vostool("adapt", "square", "--masks", "none.json", "--out", "a.h5")
    assert none.status == 1 and "none.json" in none.errors[0]
