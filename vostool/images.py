"""Reading images: frames in colour, and label masks.

Pillow reads them, for it refuses truncated files, where OpenCV fills them up with grey; and OpenEXR
is read by :mod:`vostool.exr`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from vostool.errors import ImageError

Frame = npt.NDArray[np.uint8]
"""One frame: (H, W, 3) uint8, RGB."""
Mask = npt.NDArray[np.uint8]
"""(H, W) uint8: the object id of each pixel, 0 = background."""
ObjectMasks = npt.NDArray[np.uint8]
"""(K, H, W) uint8 of 0 and 1: where each object is; they may overlap."""
Alpha = npt.NDArray[np.uint8]
"""(H, W) uint8: how much of a pixel is of any object, 255 = all."""
Probabilities = npt.NDArray[np.float32]
"""(K + 1, H, W) float32: of background, and of each object; they add up to 1."""
Doubt = npt.NDArray[np.float32]
"""(H, W) float32 in 0..0.5: how probable it is that each pixel's label is wrong."""

IMAGE_SUFFIXES = frozenset({".exr", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
EXR = ".exr"
LARGEST_LABEL = 255
WHITE_OF_16_BITS = 65535

_UNREADABLE = (
    EOFError,
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
)
"""What Pillow raises for a file that is no whole image."""


def is_image(file: Path) -> bool:
    """Whether a folder's entry counts as an image, by its name.

    Hidden ones do not: macOS lays ``._00012.png``, which is no image, beside each ``00012.png``.
    """
    return file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")


def page_count(file: Path) -> int:
    """How many pages an image file has: a TIFF may have many.

    Raises:
        ImageError: the file is missing or is no image.
    """
    if file.suffix.lower() == EXR:
        return 1
    try:
        with _opened(file) as image:
            return int(getattr(image, "n_frames", 1))
    except _UNREADABLE as problem:
        raise _not_whole(file, problem) from problem


def read_image(file: Path, page: int = 0, contrast: tuple[float, float] | None = None) -> Frame:
    """Decode one image file, upright, as RGB; grey of 16 bits is scaled to 8.

    Args:
        file: the image.
        page: which of its pages.
        contrast: the values that become black and white, in the image's own numbers; OpenEXR's are
            those of 8 bits.

    Raises:
        ImageError: the file is not a whole image, or has values that need a contrast.
    """
    (frame,) = read_pages(file, [page], contrast)
    return frame


def read_pages(
    file: Path, pages: Iterable[int], contrast: tuple[float, float] | None = None
) -> Iterator[Frame]:
    """Decode pages of an image file, each as :func:`read_image` does.

    The file is opened once: where a page lies is told by the page before it alone.

    Raises:
        ImageError: the file is not a whole image, or has values that need a contrast.
    """
    try:
        if file.suffix.lower() == EXR:
            from vostool.exr import read_exr

            yield _spread(read_exr(file), contrast) if contrast else read_exr(file)
            return
        with _opened(file) as image:
            for page in pages:
                image.seek(page)
                yield _shown(image, contrast, file)
    except _UNREADABLE as problem:
        raise _not_whole(file, problem) from problem


def _shown(image: Image.Image, contrast: tuple[float, float] | None, file: Path) -> Frame:
    upright = ImageOps.exif_transpose(image)
    if upright.mode[:1] in ("I", "F"):  # convert() would clip at 255, not scale
        grey = as_8_bits(np.asarray(upright), contrast, file)
        return np.repeat(grey[..., None], 3, axis=2)
    colours = np.asarray(upright.convert("RGB"))
    return _spread(colours, contrast) if contrast else colours


def read_mask(file: Path) -> Mask:
    """Decode a label mask as it is: an indexed or a grey image.

    Raises:
        ImageError: the file is not a whole image, is one in colour, or has values above 255.
    """
    try:
        with _opened(file) as image:
            mode, pixels = image.mode, np.asarray(image)
    except _UNREADABLE as problem:
        raise _not_whole(file, problem) from problem
    if mode not in ("P", "L", "1") and not mode.startswith("I"):
        raise ImageError(f"{file}: is a {mode} image; save it indexed, one index an object")
    if pixels.max(initial=0) > LARGEST_LABEL:
        raise ImageError(
            f"{file}: has values up to {pixels.max()}, labels are 0..{LARGEST_LABEL}; "
            "save it with 8 bits, one index an object"
        )
    return pixels.astype(np.uint8)


def image_size(file: Path) -> tuple[int, int]:
    """(H, W) of an image, by its file's head.

    Raises:
        ImageError: the file is missing or is no image.
    """
    try:
        with _opened(file) as image:
            return image.height, image.width
    except _UNREADABLE as problem:
        raise _not_whole(file, problem) from problem


def _opened(file: Path) -> Image.Image:
    """Open a regular file: a pipe or a device would be waited for, perhaps for ever.

    Raises:
        OSError: it is none, or is no image.
    """
    if file.exists() and not file.is_file():
        raise OSError("not a regular file")
    return Image.open(file)


def as_8_bits(
    grey: npt.NDArray[np.generic], contrast: tuple[float, float] | None, source: Path
) -> npt.NDArray[np.uint8]:
    """Grey of any numbers as that of 8 bits; of 16 bits 0 stays 0, and 65535 becomes 255.

    Args:
        grey: (H, W).
        contrast: the values that become black and white; None for all that their bits can tell.
        source: where it is from, which an error names.

    Raises:
        ImageError: there is no contrast, and there are values of which nobody knows what is white.
    """
    if contrast:
        return _spread(grey, contrast)
    if grey.dtype == np.uint8:
        return grey.astype(np.uint8, copy=False)
    values = grey.astype(np.int64) if grey.dtype.kind in "ui" else np.array([-1])
    if values.size and not 0 <= values.min() <= values.max() <= WHITE_OF_16_BITS:
        raise ImageError(
            f"{source}: has values that are not of 8 or 16 bits ({grey.dtype}, {grey.min()} to "
            f"{grey.max()}); say which are black and white by --contrast LOW:HIGH"
        )
    return np.rint(values / (WHITE_OF_16_BITS / 255)).astype(np.uint8)


def _spread(
    values: npt.NDArray[np.generic], contrast: tuple[float, float]
) -> npt.NDArray[np.uint8]:
    """Values as those of 8 bits, the first of the contrast black and the second white."""
    black, white = contrast
    share = (values.astype(np.float64) - black) / (white - black)
    return np.asarray(np.rint(255 * np.nan_to_num(share).clip(0, 1)), np.uint8)


def _not_whole(file: Path, problem: Exception) -> ImageError:
    return ImageError(f"{file}: not a whole image ({problem}); restore or remove it")
