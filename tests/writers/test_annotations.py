"""Protects masks for tools of annotation: another program reads them back, to the pixel."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import supervision
from cvat_sdk.masks import decode_mask
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from label_studio_converter.brush import decode_rle
from PIL import Image, ImageDraw
from supervision.dataset.formats.labelme import load_labelme_annotations

from tests.writers.made import FRAMES, MASKS, OBJECTS, SIZE, Export, coco_mask, filled
from vostool.images import Mask
from vostool.writers.label_studio import pack
from vostool.writers.yolo import polygons


def test_coco(export: Export) -> None:
    document = json.loads(export("coco").read_text())
    assert [category["id"] for category in document["categories"]] == list(OBJECTS)
    assert [image["file_name"] for image in document["images"]][:2] == ["00000.jpg", "00001.jpg"]
    again = np.zeros_like(MASKS)
    for annotation in document["annotations"]:
        mask = coco_mask(annotation["segmentation"])
        again[annotation["image_id"] - 1][mask > 0] = annotation["category_id"]
        assert annotation["area"] == mask.sum() > 0
        left, top, width, height = map(int, annotation["bbox"])
        assert mask[top : top + height, left : left + width].sum() == mask.sum()
        assert mask[top].any() and mask[:, left].any()
    np.testing.assert_array_equal(again, MASKS)
    assert len({annotation["id"] for annotation in document["annotations"]}) == 10


def test_coco_names_the_images_of_a_folder(export: Export) -> None:
    document = json.loads(export("coco", "--clip", "clip").read_text())
    assert [image["file_name"] for image in document["images"]] == [f"im{n}.png" for n in range(6)]


def test_coco_is_read_by_the_evaluation(export: Export, folder: Path) -> None:
    """Both of COCO's programs take it for a truth, and find that it is its own equal."""
    from faster_coco_eval import COCO, COCOeval_faster

    truth = COCO(str(export("coco")))
    document = json.loads((folder / "out.json").read_text())
    found = truth.loadRes([{**annotation, "score": 1.0} for annotation in document["annotations"]])
    evaluation = COCOeval_faster(truth, found, "segm")
    evaluation.run()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_youtube_vis(export: Export) -> None:
    document = json.loads(export("youtube-vis", "--clip", "clip").read_text())
    (video,) = document["videos"]
    assert (video["length"], video["height"], video["width"]) == (FRAMES, *SIZE)
    assert video["file_names"][5] == "clip/im5.png"
    again = np.zeros_like(MASKS)
    for track in document["annotations"]:
        assert len(track["segmentations"]) == len(track["bboxes"]) == len(track["areas"]) == FRAMES
        for frame, segmentation in enumerate(track["segmentations"]):
            if segmentation is not None:
                again[frame][coco_mask(segmentation) > 0] = track["category_id"]
    np.testing.assert_array_equal(again, MASKS)
    assert document["annotations"][1]["segmentations"][4] is None


def test_yolo_keeps_holes_and_parts(export: Export) -> None:
    out = export("yolo")
    read = supervision.DetectionDataset.from_yolo(
        str(out / "images"), str(out / "labels"), str(out / "data.yaml"), force_masks=True
    )
    assert read.classes == ["object 1", "object 3"]
    again = np.zeros_like(MASKS)
    for path, _, detections in read:
        assert detections.mask is not None and detections.class_id is not None
        for mask, number in zip(np.asarray(detections.mask), detections.class_id, strict=True):
            again[int(Path(path).stem)][mask] = OBJECTS[number]
    np.testing.assert_array_equal(again, MASKS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_labelme(export: Export) -> None:
    """By supervision; and as labelme itself draws polygons."""
    out = export("labelme") / "clip"
    names, paths, found = load_labelme_annotations(str(out), str(out))
    assert names == ["object 1", "object 3"]
    assert [Path(path).name for path in paths] == [f"{n:05d}.jpg" for n in range(FRAMES)]
    again, drawn = np.zeros_like(MASKS), np.zeros_like(MASKS)
    for path in paths:
        frame, detections = int(Path(path).stem), found[path]
        assert detections.mask is not None and detections.class_id is not None
        assert len(detections.mask) == len({*np.unique(MASKS[frame])} - {0}), "one an object"
        for mask, number in zip(np.asarray(detections.mask), detections.class_id, strict=True):
            again[frame][mask] = OBJECTS[number]
        for shape in json.loads(Path(path).with_suffix(".json").read_text())["shapes"]:
            part = Image.new("L", SIZE[::-1])
            ImageDraw.Draw(part).polygon([*map(tuple, shape["points"])], outline=1, fill=1)
            drawn[frame][np.asarray(part) > 0] = shape["group_id"]
    np.testing.assert_array_equal(again, MASKS)
    np.testing.assert_array_equal(drawn, MASKS)
    assert Image.open(out / "00000.jpg").size == SIZE[::-1]


def test_label_studio(export: Export) -> None:
    """By Label Studio's own converter."""
    tasks = json.loads(export("label-studio", "--clip", "clip").read_text())
    assert tasks[2]["data"] == {"image": "/data/local-files/?d=clip/im2.png"}
    again = np.zeros_like(MASKS)
    for frame, task in enumerate(tasks):
        for result in task["annotations"][0]["result"]:
            assert (result["original_height"], result["original_width"]) == SIZE
            (label,) = result["value"]["brushlabels"]
            channels = decode_rle(result["value"]["rle"]).reshape(*SIZE, 4)
            assert (channels == channels[..., :1]).all() and {*np.unique(channels)} == {0, 255}
            again[frame][channels[..., 3] > 0] = int(label.split()[1])
    np.testing.assert_array_equal(again, MASKS)


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (1, 65), (130, 127), (301, 400)])
def test_run_lengths_of_all_sizes_are_unpacked(size: tuple[int, int]) -> None:
    """Runs of one pixel, of the whole image, and longer than 16 bits tell."""
    draw = np.random.default_rng(0)
    for share in (0, 0.5, 0.999, 1):
        grey = np.where(draw.random(size) < share, 255, 0).astype(np.uint8)
        channels = decode_rle(list(pack(grey))).reshape(*size, 4)
        np.testing.assert_array_equal(channels[..., 3], grey)


def test_cvat(export: Export, folder: Path) -> None:
    """By CVAT's own program for run lengths."""
    (folder / "clip" / "im0.png").rename(folder / "clip" / 'a <&"> 0.png')
    root = ElementTree.parse(export("cvat", "--clip", "clip")).getroot()
    assert root.findtext("version") == "1.1"
    assert [label.text for label in root.findall("meta/task/labels/label/name")] == [
        "object 1", "object 3",
    ]  # fmt: skip
    assert root.findall("image")[0].get("name") == 'a <&"> 0.png'
    again = np.zeros_like(MASKS)
    for image in root.findall("image"):
        for mask in image.findall("mask"):
            runs = [int(run) for run in mask.attrib["rle"].split(",")]
            box = [int(mask.attrib[side]) for side in ("left", "top", "width", "height")]
            corner = [box[0] + box[2] - 1, box[1] + box[3] - 1]
            found = decode_mask(
                [*runs, *box[:2], *corner], image_width=SIZE[1], image_height=SIZE[0]
            )
            again[int(image.attrib["id"])][found] = int(mask.attrib["label"].split()[1])
    np.testing.assert_array_equal(again, MASKS)


def test_cvat_video(export: Export) -> None:
    """A track of keyframes for each part of an object, that ends where the part is not."""
    root = ElementTree.parse(export("cvat-video")).getroot()
    assert root.findtext("version") == "1.1"
    assert root.findtext("meta/task/mode") == "interpolation"
    assert [label.text for label in root.findall("meta/task/labels/label/name")] == [
        "object 1", "object 3",
    ]  # fmt: skip
    tracks = root.findall("track")
    assert [(track.get("id"), track.get("label"), track.get("group_id")) for track in tracks] == [
        ("0", "object 1", "1"), ("1", "object 1", "1"), ("2", "object 1", "1"),
        ("3", "object 3", "3"),
    ]  # fmt: skip
    again, drawn = np.zeros_like(MASKS), np.zeros_like(MASKS)
    for track in tracks:
        for shape in track.findall("polygon"):
            assert shape.get("keyframe") == "1" and len(shape.attrib["points"].split(";")) >= 3
            if shape.get("outside") == "0":
                frame, value = int(shape.attrib["frame"]), int(track.attrib["group_id"])
                again[frame][filled(shape.attrib["points"]) > 0] = value
                part = Image.new("L", SIZE[::-1])
                points = [
                    tuple(map(float, p.split(","))) for p in shape.attrib["points"].split(";")
                ]
                ImageDraw.Draw(part).polygon(points, outline=1, fill=1)
                drawn[frame][np.asarray(part) > 0] = value
    np.testing.assert_array_equal(again, MASKS)
    np.testing.assert_array_equal(drawn, MASKS)
    coming_and_going = [(s.get("frame"), s.get("outside")) for s in tracks[-1].findall("polygon")]
    assert coming_and_going == [
        ("1", "0"), ("2", "0"), ("3", "0"), ("4", "1"), ("5", "0"),
    ]  # fmt: skip
    for shape in tracks[0].findall("polygon"):
        assert cv2.countNonZero(filled(shape.attrib["points"])) > 500, "the largest part"


@settings(max_examples=300, deadline=None)
@given(
    small=hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)),
                     elements=st.integers(0, 1)),
    scale=st.integers(1, 5),
)  # fmt: skip
def test_polygons_filled_are_the_region(small: Mask, scale: int) -> None:
    """Whatever its shape: holes in holes, single pixels, parts that touch at corners."""
    region = np.kron(small, np.ones((scale, scale), np.uint8)).astype(np.uint8)
    filled = np.zeros_like(region)
    for polygon in polygons(region):
        assert len(polygon) >= 3
        part = np.zeros_like(region)
        cv2.fillPoly(part, [polygon], [1])
        filled |= part
    np.testing.assert_array_equal(filled, region)
