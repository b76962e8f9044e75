"""What training draws from: annotated videos, and photos that are set in motion.

Videos lie as DAVIS or YouTube-VOS have them::

    ROOT/JPEGImages/[480p/]SEQUENCE/00000.jpg …
    ROOT/Annotations/[480p/]SEQUENCE/00000.png …   label masks, of all frames or of some

Photos lie as ``ROOT/images/NAME.jpg`` and ``ROOT/masks/NAME.png``, an object each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from vostool.errors import ClipError
from vostool.images import Frame, Mask, is_image, read_image, read_mask
from vostool.training.motion import moving_photo

FURTHEST_STEP = 5
"""Annotated frames from one drawn frame to the next, at most."""
PASSING_AT_MOST = 2
"""Objects of other photos that pass in front of a photo's own."""


@dataclass(frozen=True)
class Shot:
    """Some frames of one clip, in order of time, with every pixel's label.

    Attributes:
        images: (T, H, W, 3) uint8.
        masks: (T, H, W) uint8.
    """

    images: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.uint8]


class Source(Protocol):
    """A clip, or what can be made into one."""

    @property
    def name(self) -> str:
        """What to call it in a log."""

    def shot_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size (H, W) of its shots where one is asked for."""

    def shot(self, frames: int, size: tuple[int, int], rng: np.random.Generator) -> Shot:
        """Draw some frames at a size (H, W)."""


@dataclass(frozen=True)
class Video:
    """An annotated video.

    Attributes:
        name: the sequence's.
        files: image and label mask of each annotated frame, in order.
    """

    name: str
    files: tuple[tuple[Path, Path], ...]

    def shot_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """What is asked for."""
        return size

    def shot(self, frames: int, size: tuple[int, int], rng: np.random.Generator) -> Shot:
        """Frames with one step between them, seen through one window; backwards half the time.

        A video with fewer frames than are wanted gives its last one again.
        """
        furthest = max(1, min(FURTHEST_STEP, (len(self.files) - 1) // max(1, frames - 1)))
        step = int(rng.integers(1, furthest + 1))
        first = int(rng.integers(0, max(1, len(self.files) - step * (frames - 1))))
        chosen = [min(first + step * t, len(self.files) - 1) for t in range(frames)]
        if rng.random() < 0.5:
            chosen.reverse()
        read = [(read_image(self.files[t][0]), read_mask(self.files[t][1])) for t in chosen]
        window = Window.random(read[0][1].shape, size, rng)
        views = [window.view(image, mask) for image, mask in read]
        return Shot(np.stack([image for image, _ in views]), np.stack([mask for _, mask in views]))


@dataclass(frozen=True)
class Photo:
    """A photo with its object's mask.

    Attributes:
        name: the file's.
        image, mask: the files.
        others: photos whose objects may pass in front.
    """

    name: str
    image: Path
    mask: Path
    others: Sequence[Photo] = field(default=(), repr=False, compare=False)

    def shot(self, frames: int, size: tuple[int, int], rng: np.random.Generator) -> Shot:
        """The photo in motion; see :func:`vostool.training.motion.moving_photo`.

        A size larger than the photo is scaled down to it, for a blurred photo teaches nothing of
        edges, and turned upright for an upright photo.
        """
        size = self.shot_size(size)
        count = min(int(rng.integers(0, PASSING_AT_MOST + 1)), len(self.others))
        passing = [
            self.others[int(n)].view(size, rng) for n in rng.integers(0, len(self.others), count)
        ]
        return Shot(*moving_photo(*self.view(size, rng), passing, frames, rng))

    def shot_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Within the photo's own."""
        return within(self.size, size)

    @cached_property
    def size(self) -> tuple[int, int]:
        """(H, W) of the photo, by its mask, which nothing turns; no pixel is read."""
        with Image.open(self.mask) as mask:
            return mask.height, mask.width

    def read(self) -> tuple[Frame, Mask]:
        """The photo (H, W, 3), and (H, W) 1 where its object is."""
        image, mask = read_image(self.image), read_mask(self.mask)
        return image, (mask > 127 if mask.max() > 1 else mask > 0).astype(np.uint8)

    def view(self, size: tuple[int, int], rng: np.random.Generator) -> tuple[Frame, Mask]:
        """A part of it at a size (H, W), and where its object is there."""
        image, inside = self.read()
        return Window.random(inside.shape, size, rng).view(image, inside)


@dataclass(frozen=True)
class Window:
    """A part of a frame, brought to a size, perhaps mirrored.

    Attributes:
        top, left, height, width: of the part, in the frame's pixels.
        size: (H, W) of the view.
        mirrored: left is right.
    """

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]
    mirrored: bool

    @classmethod
    def random(
        cls, frame: tuple[int, ...], size: tuple[int, int], rng: np.random.Generator
    ) -> Window:
        """A window of the size's proportions that takes at least two thirds of what it could."""
        share = min(frame[0] / size[0], frame[1] / size[1]) * rng.uniform(2 / 3, 1)
        height, width = max(1, round(size[0] * share)), max(1, round(size[1] * share))
        height, width = min(height, frame[0]), min(width, frame[1])
        top = int(rng.integers(0, frame[0] - height + 1))
        left = int(rng.integers(0, frame[1] - width + 1))
        return cls(top, left, height, width, size, bool(rng.random() < 0.5))

    def view(self, image: Frame, mask: Mask) -> tuple[Frame, Mask]:
        """A frame and its mask through the window."""
        part = slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)
        shown = self.size[::-1]
        image = cv2.resize(image[part], shown, interpolation=cv2.INTER_AREA).astype(np.uint8)
        mask = cv2.resize(mask[part], shown, interpolation=cv2.INTER_NEAREST).astype(np.uint8)
        return (image[:, ::-1].copy(), mask[:, ::-1].copy()) if self.mirrored else (image, mask)


def open_videos(root: Path, names: Sequence[str] | None = None) -> list[Video]:
    """The annotated videos of a DAVIS-layout or YouTube-VOS-layout root.

    Args:
        root: the root.
        names: take these sequences; by default those that ``ImageSets/2017/train.txt`` lists, or
            all that are annotated where there is no such list.

    Raises:
        ClipError: there are none, a sequence is not there, or a frame of an annotation is missing.
    """
    annotations = _resolution(root / "Annotations")
    images = _resolution(root / "JPEGImages")
    if not annotations.is_dir() or not images.is_dir():
        raise ClipError(f"{root}: no videos to train on; it lacks JPEGImages or Annotations")
    listed = root / "ImageSets" / "2017" / "train.txt"
    if names is None and listed.is_file():
        names = listed.read_text(encoding="utf-8").split()
    if names is None:
        names = sorted(folder.name for folder in annotations.iterdir() if folder.is_dir())
    if not names:
        raise ClipError(f"{annotations}: no sequence to train on")
    return [_open_video(images / name, annotations / name) for name in names]


def open_photos(root: Path) -> list[Photo]:
    """The photos of ``ROOT/images`` that have a mask in ``ROOT/masks``.

    Raises:
        ClipError: there are none, or one has no mask.
    """
    folder = root / "images"
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [file for file in files if is_image(file)]
    if not files:
        raise ClipError(f"{root}: no photos to train on; {folder} should hold images")
    masks = [root / "masks" / f"{file.stem}.png" for file in files]
    for mask in masks:
        if not mask.is_file():
            raise ClipError(f"{mask}: missing; each photo needs the mask of its object")
    alone = [Photo(file.stem, file, mask) for file, mask in zip(files, masks, strict=True)]
    return [Photo(photo.name, photo.image, photo.mask, alone) for photo in alone]


def within(photo: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """A size (H, W) in a photo's own orientation, scaled down so as not to be larger."""
    low, high = sorted(size)
    height, width = (high, low) if photo[0] > photo[1] else (low, high)
    share = min(1.0, photo[0] / height, photo[1] / width)
    return round(share * height), round(share * width)


def _resolution(folder: Path) -> Path:
    """DAVIS has a folder 480p in between, YouTube-VOS has not."""
    return folder / "480p" if (folder / "480p").is_dir() else folder


def _open_video(images: Path, annotations: Path) -> Video:
    if not annotations.is_dir() or not images.is_dir():
        raise ClipError(f"{annotations if images.is_dir() else images}: no such sequence")
    by_stem = {file.stem: file for file in images.iterdir() if is_image(file)}
    files = []
    for annotation in sorted(filter(is_image, annotations.glob("*.png"))):
        if annotation.stem not in by_stem:
            raise ClipError(f"{annotation}: no frame {annotation.stem} in {images}")
        files.append((by_stem[annotation.stem], annotation))
    if not files:
        raise ClipError(f"{annotations}: no annotated frame")
    return Video(annotations.name, tuple(files))
