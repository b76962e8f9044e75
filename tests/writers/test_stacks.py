"""Protects masks as stacks and folders: another program reads them back, to the pixel."""

from __future__ import annotations

import json

import cv2
import numpy as np
import ome_zarr_models.v05
import pytest
import tifffile
import zarr

from tests.writers.made import FRAMES, MASKS, OBJECTS, SIZE, Export, shown
from vostool.clips import open_clip, open_davis_sequence
from vostool.images import read_mask


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
