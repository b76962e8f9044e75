"""Label masks: the DAVIS palette, indexed PNGs, overlays to look at."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from vostool.clips import UNREADABLE_IMAGE, Frame
from vostool.errors import VostoolError

Mask = npt.NDArray[np.uint8]
"""(H, W) uint8: the object id of each pixel, 0 = background."""

PNG_EFFORT = 1
"""zlib level: label masks shrink to a few KB at any level, and level 1 is the quickest."""


def davis_palette() -> npt.NDArray[np.uint8]:
    """The palette of DAVIS (and PASCAL VOC): (256, 3) uint8, RGB.

    The bits of the index, three at a time, become the high bits of red, green and blue.
    """
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(
                np.uint8
            )
    return palette


_PALETTE_BYTES = davis_palette().tobytes()


def mask_file(folder: Path, frame: int) -> Path:
    """Where the mask of a frame lies: ``FOLDER/%05d.png``."""
    return folder / f"{frame:05d}.png"


def write_mask(file: Path, mask: Mask) -> None:
    """Write a label mask as an indexed PNG with the DAVIS palette."""
    image = Image.fromarray(mask)
    image.putpalette(_PALETTE_BYTES)
    image.save(file, "PNG", compress_level=PNG_EFFORT)


def read_mask(file: Path) -> Mask:
    """Read a label mask: an indexed or a grey PNG.

    Raises:
        VostoolError: the file is missing or is no such image.
    """
    try:
        with Image.open(file) as image:
            mode, pixels = image.mode, np.asarray(image)
    except UNREADABLE_IMAGE as problem:
        raise VostoolError(f"{file}: not a whole mask image ({problem})") from problem
    if mode not in ("P", "L", "1"):
        raise VostoolError(f"{file}: is a {mode} image; masks are indexed or grey PNGs")
    return pixels.astype(np.uint8)


def mask_size(file: Path) -> tuple[int, int]:
    """(H, W) of a mask, by its file's head.

    Raises:
        VostoolError: the file is missing or is no image.
    """
    try:
        with Image.open(file) as image:
            return image.height, image.width
    except UNREADABLE_IMAGE as problem:
        raise VostoolError(f"{file}: not a whole mask image ({problem})") from problem


def overlay(frame: Frame, mask: Mask, opacity: float = 0.5) -> Frame:
    """Lay the objects' colours over a frame, with an outline round each object."""
    inside = mask > 0
    shown = frame.astype(np.float32)
    colours = davis_palette()[mask].astype(np.float32)
    shown[inside] = (1 - opacity) * shown[inside] + opacity * colours[inside]
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    shown[edge] = 255
    return shown.astype(np.uint8)


@contextmanager
def overlay_video(file: Path, size: tuple[int, int], fps: float) -> Iterator[cv2.VideoWriter]:
    """Open an MP4 to write overlays to; it appears under its name when it is whole.

    Args:
        file: where to write, a name that ends in .mp4.
        size: (H, W) of the frames.
        fps: frames a second.

    Raises:
        VostoolError: OpenCV cannot write there.
    """
    aside = file.with_name(f".{file.stem}.{os.getpid()}.mp4")
    writer = cv2.VideoWriter(str(aside), cv2.VideoWriter.fourcc(*"mp4v"), fps, (size[1], size[0]))
    try:
        if file.is_dir() or not writer.isOpened():
            raise VostoolError(f"{file}: OpenCV cannot write a video there; give a path to an .mp4")
        yield writer
        writer.release()
        os.replace(aside, file)
    finally:
        writer.release()
        aside.unlink(missing_ok=True)


def best_of(scores: npt.NDArray[np.float32], object_ids: Sequence[int]) -> Mask:
    """The mask (H, W) of scores (K, H, W) against background's 0.

    Args:
        scores: an object each.
        object_ids: the objects.
    """
    mask = np.zeros(scores.shape[1:], np.uint8)
    best = np.zeros(scores.shape[1:], np.float32)
    for object_id, score in zip(object_ids, scores, strict=True):
        mask[score > best] = object_id
        np.maximum(best, score, out=best)
    return mask
