"""Protects what leaves for other tools: another program reads back the masks, to the pixel.

What a format cannot hold is stated by a test of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import cv2
import numpy as np
import numpy.typing as npt
import ome_zarr_models.v05
import OpenEXR
import pytest
import supervision
import tifffile
import zarr
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from cvat_sdk.masks import decode_mask
from faster_coco_eval import mask as faster_coco_mask
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from label_studio_converter.brush import decode_rle
from PIL import Image, ImageDraw
from supervision.dataset.formats.labelme import load_labelme_annotations

import vostool as package
from tests.conftest import Vostool
from tests.video.footage import Kind, write_clip
from vostool.adapter import Adapter
from vostool.cleaning import Cleaning
from vostool.clips import open_clip, open_davis_sequence
from vostool.images import Frame, Mask, read_image, read_mask
from vostool.opening import OpenClip
from vostool.outputs import LISTING
from vostool.session import Session
from vostool.store import FeatureStore
from vostool.writers import WRITERS
from vostool.writers.composite import before
from vostool.writers.label_studio import pack
from vostool.writers.png import mask_file, write_mask
from vostool.writers.yolo import polygons

FRAMES, SIZE = 6, (60, 84)
OBJECTS = (1, 3)
Labels = npt.NDArray[np.uint8]
"""(T, H, W)."""


def made_masks() -> Labels:
    """Two objects: one with a hole, parts and a single pixel, and one that comes and goes."""
    masks = np.zeros((FRAMES, *SIZE), np.uint8)
    for frame, mask in enumerate(masks):
        cv2.circle(mask, (24 + 3 * frame, 30), 18, 1, -1)
        cv2.circle(mask, (20 + 3 * frame, 26), 6, 0, -1)
        cv2.circle(mask, (30 + 3 * frame, 36), 4, 0, -1)
        mask[2 + frame, 70:76] = 1
        mask[55, 4] = 1
        if frame not in (0, 4):
            mask[8:20, 10 + frame : 22] = 3
    return masks


MASKS = made_masks()


def shown(frame: int) -> Frame:
    """The clip's frame: a slope of colours."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.stack([2 * x + 10 * frame, 3 * y + 20, 255 - x - y], axis=-1).astype(np.uint8)


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


Export = Callable[..., Path]


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


def coco_mask(segmentation: dict[str, Any]) -> Mask:
    runs = {**segmentation, "counts": segmentation["counts"].encode()}
    return np.asarray(faster_coco_mask.decode(runs), np.uint8)


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


def test_binary(export: Export) -> None:
    out = export("binary")
    again = np.zeros_like(MASKS)
    for object_id in OBJECTS:
        files = sorted((out / str(object_id)).iterdir())
        assert len(files) == FRAMES, "one a frame, also where the object is not"
        for frame, file in enumerate(files):
            image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
            assert image is not None and set(np.unique(image)) <= {0, 255}
            again[frame][image > 0] = object_id
    np.testing.assert_array_equal(again, MASKS)


def test_numpy(export: Export) -> None:
    out = export("numpy")
    np.testing.assert_array_equal(np.load(out), MASKS)
    np.testing.assert_array_equal(np.load(out, mmap_mode="r")[3], MASKS[3])


def test_tiff(export: Export) -> None:
    out = export("tiff")
    np.testing.assert_array_equal(tifffile.imread(out), MASKS)
    assert cv2.imreadmulti(str(out), flags=cv2.IMREAD_UNCHANGED)[0]


def test_ome_zarr(export: Export) -> None:
    """By the format's own models, which refuse what is not of its form."""
    out = export("ome-zarr")
    image = ome_zarr_models.v05.Image.from_zarr(zarr.open_group(out, mode="r"))
    assert image.labels is not None and image.labels.label_paths == ["objects"]
    group = zarr.open_group(out / "labels" / "objects", mode="r")
    label = ome_zarr_models.v05.ImageLabel.from_zarr(group)
    assert label.ome_attributes.image_label is not None
    colors = label.ome_attributes.image_label.colors
    assert [color.label_value for color in colors or ()] == list(OBJECTS)
    np.testing.assert_array_equal(group["0"], MASKS)
    frames = np.asarray(zarr.open_array(out / "0", mode="r"))
    np.testing.assert_array_equal(frames.transpose(0, 2, 3, 1), [shown(n) for n in range(FRAMES)])


@pytest.mark.parametrize(("form", "part"), [("davis", "480p"), ("youtube-vos", "")])
def test_davis_and_youtube_vos(export: Export, form: str, part: str) -> None:
    out = export(form)
    for frame, mask in enumerate(MASKS):
        file = out / "Annotations" / part / "clip" / f"{frame:05d}.png"
        np.testing.assert_array_equal(read_mask(file), mask)
    if form == "davis":
        clip = open_davis_sequence(out, "clip")
        assert (out / "ImageSets" / "2017" / "train.txt").read_text() == "clip\n"
    else:
        clip = open_clip(out / "JPEGImages" / "clip")
        objects = json.loads((out / "meta.json").read_text())["videos"]["clip"]["objects"]
        assert objects["3"]["frames"] == ["00001", "00002", "00003", "00005"]
        assert len(objects["1"]["frames"]) == FRAMES
    assert (clip.expected_frames, clip.size) == (FRAMES, SIZE)
    for frame, got in enumerate(clip.frames()):
        assert abs(got.astype(int) - shown(frame)).mean() < 3, "a JPEG of the frame"


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


def alpha_frames(file: Path) -> list[npt.NDArray[np.uint8]]:
    """The frames (H, W, 4) of a video, by PyAV itself."""
    with av.open(file) as container:
        decoded = [frame.to_ndarray(format="rgba") for frame in container.decode(video=0)]
    return [np.asarray(picture, np.uint8) for picture in decoded]


def test_cutout(export: Export) -> None:
    for frame, file in enumerate(sorted(export("cutout").glob("*.png"))):
        image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        assert image is not None
        np.testing.assert_array_equal(image[..., 3], np.where(MASKS[frame] > 0, 255, 0))
        np.testing.assert_array_equal(image[..., 2::-1], shown(frame))


def test_png_mov_is_without_loss(export: Export) -> None:
    frames = alpha_frames(export("png-mov"))
    assert len(frames) == FRAMES
    for frame, picture in enumerate(frames):
        np.testing.assert_array_equal(picture[..., 3], np.where(MASKS[frame] > 0, 255, 0))
        np.testing.assert_array_equal(picture[..., :3], shown(frame))


def test_prores_keeps_the_mask_to_the_pixel(export: Export) -> None:
    """And the colours nearly; the size is made a multiple of 16, with nothing in what is added."""
    frames = alpha_frames(export("prores"))
    assert len(frames) == FRAMES
    height, width = SIZE
    for frame, picture in enumerate(frames):
        assert picture.shape == (64, 96, 4)
        alpha = picture[..., 3]
        np.testing.assert_array_equal(alpha[:height, :width] > 127, MASKS[frame] > 0)
        assert set(np.unique(alpha)) <= {0, 254, 255}
        assert not alpha[height:].any() and not alpha[:, width:].any()
        assert abs(picture[:height, :width, :3].astype(int) - shown(frame)).mean() < 2


@pytest.mark.parametrize("background", ["#00c800", "other.mkv"])
def test_composite_shows_another_ground(folder: Path, vostool: Vostool, background: str) -> None:
    """A colour; or a clip of another size, that begins again when it is at its end."""
    grounds = [np.full((30, 40, 3), (200, 40 * n, 0), np.uint8) for n in range(4)]
    package.write_clip(folder / "other.mkv", grounds)
    done = vostool("export", "swan", "--as", "composite", "--clip", "clip", "--out", "c.mp4",
                   "--background", background)  # fmt: skip
    assert done.status == 0, done.err
    frames = [*open_clip(folder / "c.mp4").frames()]
    assert len(frames) == FRAMES
    for number, frame in enumerate(frames):
        colour = (0, 200, 0) if background[0] == "#" else (200, 40 * (number % 4), 0)
        inside = cv2.erode((MASKS[number] > 0).astype(np.uint8), np.ones((9, 9))) > 0
        outside = cv2.dilate((MASKS[number] > 0).astype(np.uint8), np.ones((17, 17))) == 0
        assert np.abs(frame.astype(int) - shown(number))[inside].mean() < 12
        assert np.abs(frame.astype(int) - colour)[outside].mean() < 6


def test_a_ground_shines_through_what_is_half_transparent() -> None:
    frame, ground = np.full((1, 3, 3), 200, np.uint8), np.full((1, 3, 3), 100, np.uint8)
    seen = before(ground, frame, np.array([[0, 51, 255]], np.uint8))
    np.testing.assert_array_equal(seen[0, :, 0], [100, 120, 200])


def test_grounds_that_are_none_are_refused(folder: Path, vostool: Vostool) -> None:
    for words, word in {
        ("composite", "--background", "no-colour"): "neither",
        ("composite",): "--background",
        ("cutout", "--background", "red"): "composite",
    }.items():
        done = vostool("export", "swan", "--clip", "clip", "--out", "o", "--as", *words)
        assert done.status == 2 and word in done.err, done.err
        assert not (folder / "o").exists()


def vp9_frames(file: Path) -> list[VideoFrame]:
    """The frames of a WebM, by libvpx: FFmpeg's own decoder leaves alpha out."""
    decoder = VideoCodecContext.create("libvpx-vp9", "r")
    with av.open(file) as container:
        assert container.streams.video[0].metadata["alpha_mode"] == "1"
        decoded = [frame for packet in container.demux(video=0) for frame in decoder.decode(packet)]
    assert {frame.format.name for frame in decoded} == {"yuva420p"}
    return decoded


def alpha_plane(frame: VideoFrame) -> npt.NDArray[np.uint8]:
    """As it was decoded: FFmpeg's conversion to RGBA spoils the edge of some widths."""
    plane = frame.planes[3]
    return np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width]


def test_vp9_keeps_the_mask_at_a_half(export: Export) -> None:
    """Each pixel is on its side of it, single ones too; alpha and colours are nearly right."""
    out = export("vp9")
    frames = vp9_frames(out)
    assert len(frames) == FRAMES
    for frame, picture in enumerate(frames):
        alpha, inside = alpha_plane(picture).astype(int), MASKS[frame] > 0
        np.testing.assert_array_equal(alpha > 127, inside)
        assert np.abs(alpha - 255 * inside).max() < 64
        colours = picture.to_ndarray(format="rgb24").astype(int)
        assert abs(colours - shown(frame)).mean() < 4
    assert open_clip(out).incomplete is None
    export("vp9")  # it is known as vostool's


def test_exr_is_light_times_alpha(export: Export) -> None:
    """By OpenEXR's own reader; and by vostool's, the colours as they were."""
    out = export("exr")
    for frame, mask in enumerate(MASKS):
        file = out / f"{frame:05d}.exr"
        with OpenEXR.File(str(file)) as opened:
            picture = opened.channels()["RGBA"].pixels
        assert picture.dtype == np.float16
        np.testing.assert_array_equal(picture[..., 3], mask > 0)
        assert not picture[mask == 0].any()
        grey = shown(frame)[mask > 0] / 255  # all of it above the curve's straight part
        light = ((grey + 0.055) / 1.055) ** 2.4
        np.testing.assert_allclose(picture[mask > 0][:, :3], light, rtol=0.002, atol=0.0005)
        again = read_image(file).astype(int)
        assert np.abs(again - shown(frame))[mask > 0].max() <= 1


def test_videos_show_each_frame_when_the_clip_does(folder: Path, vostool: Vostool) -> None:
    times = (0, 40, 200, 240, 500, 510)
    kind = Kind("uneven.mkv", "ffv1", "yuv420p", {}, frames=FRAMES, size=SIZE, times=times)
    write_clip(folder / "uneven.mkv", kind)
    for form in ("png-mov", "prores", "vp9", "overlay"):
        out = folder / f"{form}{WRITERS[form].suffix}"
        done = vostool("export", "swan", "--as", form, "--clip", "uneven.mkv", "--out", out)
        assert done.status == 0, done.err
        assert open_clip(out).times == pytest.approx([t / 1000 for t in times], abs=0.002)
        assert (
            vostool("export", "swan", "--as", form, "--clip", "uneven.mkv", "--out", out).status
            == 0
        )


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


def filled(points: str) -> Mask:
    """A polygon of CVAT's, as it is drawn: its outline and what lies within."""
    polygon = np.array([point.split(",") for point in points.split(";")], np.float64)
    region = np.zeros(SIZE, np.uint8)
    cv2.fillPoly(region, [polygon.astype(np.int32)], [1])
    return region


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


def probabilities(adapter: Path, folder: Path) -> npt.NDArray[np.float32]:
    """(T, K + 1, H, W), through Python."""
    store = FeatureStore(folder / "store")
    session = Session.resume(store, [Adapter.read(adapter)], device="cpu")
    numbered = list(session.probabilities())
    assert [frame for frame, _ in numbered] == list(range(session.frames))
    return np.stack([one for _, one in numbered])


@pytest.fixture
def two_objects(square_store: FeatureStore, tmp_path: Path) -> Path:
    """An adapter of the square as two objects, its left and its right half."""
    session = OpenClip(square_store.clip("square")).session(device="cpu")
    painted = np.full((96, 128), 255, np.uint8)
    painted[24:72, 16:38], painted[24:72, 42:64], painted[24:72, 38:42] = 1, 2, 0
    session.add_scribbles({2: painted})
    session.adapter.write(tmp_path / "two.h5")
    return tmp_path / "two.h5"


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
