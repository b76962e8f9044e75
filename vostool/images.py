"""Reading images: frames in colour, and label masks.

Pillow reads them, for it refuses truncated files, where OpenCV fills them up with grey.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from vostool.errors import ImageError

Frame = npt.NDArray[np.uint8]
"""One frame: (H, W, 3) uint8, RGB."""
Mask = npt.NDArray[np.uint8]
"""(H, W) uint8: the object id of each pixel, 0 = background."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})

_UNREADABLE = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
)
"""What Pillow raises for a file that is no whole image."""


def read_image(file: Path) -> Frame:
    """Decode one image file, upright, as RGB.

    Raises:
        ImageError: the file is not a whole image.
    """
    try:
        with Image.open(file) as image:
            upright = ImageOps.exif_transpose(image)
            return np.asarray(upright.convert("RGB"))
    except _UNREADABLE as problem:
        raise _not_whole(file, problem) from problem


def read_mask(file: Path) -> Mask:
    """Decode a label mask as it is: an indexed or a grey image.

    Raises:
        ImageError: the file is not a whole image, or is one in colour.
    """
    try:
        with Image.open(file) as image:
            mode, pixels = image.mode, np.asarray(image)
    except _UNREADABLE as problem:
        raise _not_whole(file, problem) from problem
    if mode not in ("P", "L", "1"):
        raise ImageError(f"{file}: is a {mode} image; save it indexed, one index an object")
    return pixels.astype(np.uint8)


def image_size(file: Path) -> tuple[int, int]:
    """(H, W) of an image, by its file's head.

    Raises:
        ImageError: the file is missing or is no image.
    """
    try:
        with Image.open(file) as image:
            return image.height, image.width
    except _UNREADABLE as problem:
        raise _not_whole(file, problem) from problem


def _not_whole(file: Path, problem: Exception) -> ImageError:
    return ImageError(f"{file}: not a whole image ({problem}); restore or remove it")
