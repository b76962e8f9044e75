"""Protects TIFF stacks of several channels: a frame is a plane of the channel, never of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tests.conftest import Vostool
from tests.microscopy.made import cells
from vostool.clips import default_name, open_clip
from vostool.errors import ClipError
from vostool.reading import Reading
from vostool.store import FeatureStore

SIZE = (40, 56)
NAMES = {"Channel": {"Name": ["DAPI", "GFP"]}}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "imagej": ("TCYX", {"imagej": True, "metadata": {"axes": "TCYX"}}),
    "ome": ("TCYX", {"ome": True, "metadata": {"axes": "TCYX", **NAMES}}),
    "ome-channels-first": ("CTYX", {"ome": True, "metadata": {"axes": "CTYX", **NAMES}}),
    "ome-packed": ("TCYX", {"ome": True, "compression": "zlib", "metadata": {"axes": "TCYX"}}),
    "plain": ("TCYX", {"photometric": "minisblack", "metadata": {"axes": "TCYX"}}),
}  # fmt: skip


def write(file: Path, kind: str, values: np.ndarray) -> Path:
    """Write values (T, C, H, W)."""
    axes, options = KINDS[kind]
    ordered = values if axes == "TCYX" else values.transpose(1, 0, 2, 3)
    tifffile.imwrite(file, ordered, **options)
    return file


@pytest.mark.parametrize("kind", KINDS)
def test_a_channel_of_a_stack_is_a_clip(tmp_path: Path, kind: str) -> None:
    values = cells((4, 2, *SIZE))
    file = write(tmp_path / "cells.ome.tif", kind, values)
    assert default_name(file) == "cells"
    listed = "0 DAPI, 1 GFP" if "ome" in kind and kind != "ome-packed" else "0, 1"
    with pytest.raises(ClipError, match=rf"has 2 channels \({listed}\); choose one with --channel"):
        open_clip(file)
    clips = [open_clip(file, frames=(1, 4), reading=Reading(channel=c)) for c in (0, 1)]
    for channel, clip in enumerate(clips):
        assert (clip.expected_frames, clip.size) == (3, SIZE)
        for start in (0, 2):
            for frame, want in zip(clip.frames(start), values[1 + start :, channel], strict=True):
                np.testing.assert_allclose(frame[..., 0], want / 257, atol=0.51)
    assert clips[0].fingerprint != clips[1].fingerprint
    if "DAPI" in listed:
        named = open_clip(file, frames=(1, 4), reading=Reading(channel="GFP"))
        assert named.fingerprint == clips[1].fingerprint


def test_depths_are_frames_where_there_is_one_time(tmp_path: Path) -> None:
    values = cells((5, 2, *SIZE), "uint8")
    tifffile.imwrite(tmp_path / "z.tif", values, imagej=True, metadata={"axes": "ZCYX"})
    clip = open_clip(tmp_path / "z.tif", reading=Reading(channel=1))
    np.testing.assert_array_equal([frame[..., 0] for frame in clip.frames()], values[:, 1])
    several = cells((3, 5, *SIZE), "uint8")
    tifffile.imwrite(tmp_path / "tz.tif", several, imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(ClipError, match="5 slices of depth at each of 3 times"):
        open_clip(tmp_path / "tz.tif")


def test_one_channel_is_the_same_by_its_number(tmp_path: Path) -> None:
    values = cells((4, *SIZE), "uint8")
    tifffile.imwrite(tmp_path / "one.tif", values, ome=True, metadata={"axes": "TYX"})
    plain, chosen = (
        open_clip(tmp_path / "one.tif"),
        open_clip(tmp_path / "one.tif", reading=Reading(channel=0)),
    )
    assert plain.fingerprint == chosen.fingerprint
    with pytest.raises(ClipError, match=r"no channel 1 but one channel \(0\)"):
        open_clip(tmp_path / "one.tif", reading=Reading(channel=1))


def test_colours_within_a_page_are_no_channels(tmp_path: Path) -> None:
    values = cells((4, *SIZE, 3), "uint8")
    tifffile.imwrite(
        tmp_path / "rgb.tif", values, ome=True, photometric="rgb", metadata={"axes": "TYXS"}
    )
    frames = np.stack(list(open_clip(tmp_path / "rgb.tif").frames()))
    np.testing.assert_array_equal(frames, values)


def test_planes_of_another_file_are_not_made_up(tmp_path: Path) -> None:
    values = cells((2, *SIZE), "uint8")
    told = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="56" SizeY="40" SizeZ="1" '
        'SizeC="1" SizeT="4"><Channel ID="Channel:0:0"/><TiffData IFD="0" FirstT="0" PlaneCount="1"'
        '/><TiffData IFD="1" FirstT="2" PlaneCount="1"/></Pixels></Image></OME>'
    )
    tifffile.imwrite(tmp_path / "a.ome.tif", values, description=told, metadata=None)
    with pytest.raises(ClipError, match="frame 1 is no page of this file"):
        open_clip(tmp_path / "a.ome.tif")


def test_planes_without_entries_are_not_left_out(tmp_path: Path) -> None:
    """As of ImageJ's stacks above 4 GB, that have an entry for the first plane alone."""
    values = cells((4, *SIZE), "uint8")
    with tifffile.TiffWriter(tmp_path / "big.tif", imagej=True) as stack:
        stack.write(values, truncate=True, metadata={"axes": "TYX"})
    with pytest.raises(ClipError, match=r"big\.tif: its planes lie behind one entry"):
        open_clip(tmp_path / "big.tif")


def test_what_has_no_channels_is_refused_one(tmp_path: Path, vostool: Vostool) -> None:
    from vostool import write_clip

    frames = cells((3, *SIZE, 3), "uint8")
    write_clip(tmp_path / "video.mkv", frames)
    tifffile.imwrite(
        tmp_path / "untold.tif", frames[..., 0], photometric="minisblack", metadata=None
    )
    (tmp_path / "folder").mkdir()
    tifffile.imwrite(tmp_path / "folder" / "0.tif", frames[0])
    for name in ("video.mkv", "untold.tif", "folder"):
        done = vostool("extract", name, "--channel", "0")
        assert done.status == 1 and "leave" in done.errors[0] and "channel" in done.errors[0]
    assert not (tmp_path / "store").exists() or not FeatureStore(tmp_path / "store").names()
