"""A clip and masks of two objects for exports, and what reads exports back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from faster_coco_eval import mask as faster_coco_mask

from vostool.images import Frame, Mask

FRAMES, SIZE = 6, (60, 84)
OBJECTS = (1, 3)
Labels = npt.NDArray[np.uint8]
"""(T, H, W)."""
Export = Callable[..., Path]
"""Exports the masks in a format, with options; gives what was made."""


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


def coco_mask(segmentation: dict[str, Any]) -> Mask:
    runs = {**segmentation, "counts": segmentation["counts"].encode()}
    return np.asarray(faster_coco_mask.decode(runs), np.uint8)


def alpha_frames(file: Path) -> list[npt.NDArray[np.uint8]]:
    """The frames (H, W, 4) of a video, by PyAV itself."""
    with av.open(file) as container:
        decoded = [frame.to_ndarray(format="rgba") for frame in container.decode(video=0)]
    return [np.asarray(picture, np.uint8) for picture in decoded]


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


def filled(points: str) -> Mask:
    """A polygon of CVAT's, as it is drawn: its outline and what lies within."""
    polygon = np.array([point.split(",") for point in points.split(";")], np.float64)
    region = np.zeros(SIZE, np.uint8)
    cv2.fillPoly(region, [polygon.astype(np.int32)], [1])
    return region
