"""Scenes of several alike objects, for networks that are to tell which is which.

Cut-outs of photos and their copies cross, leave the frame and come back; copies of a video's own
object move beside it as it moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from vostool.images import Frame, Mask
from vostool.training.data import Photo, Shot, Video
from vostool.training.motion import Path, Range, moving_layers, without_object

FEWEST, MOST = 2, 5
"""Objects of a scene."""
TALL = (0.2, 0.55)
"""An object's longer side, in heights of the frame."""
AWAY = 0.2
"""The share of objects that stray, perhaps out of the frame, and come back."""
STRAY = 0.9
"""How far they do, in widths and heights of the frame."""
MOST_COPIES = 3
"""Of a video's object."""

ALIKE = Range(shift=0.5, turn=20.0, zoom=0.3, shear=0.1, bend=0.04)
"""How far each object moves."""


@dataclass(frozen=True)
class Scene:
    """Copies of a photo's object, and perhaps of another's, before what is left of the photo.

    Attributes:
        photo: the photo.
        others: photos whose objects may be in the scene, and what is behind it.
    """

    photo: Photo
    others: Sequence[Photo] = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The photo's."""
        return f"scene {self.photo.name}"

    def shot_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The photo's."""
        return self.photo.shot_size(size)

    def shot(self, frames: int, size: tuple[int, int], rng: np.random.Generator) -> Shot:
        """A scene at a size (H, W), or smaller where the photo is."""
        size = self.shot_size(size)
        behind = without_object(*self._any(rng).view(size, rng))
        kinds = [cut_out(*photo.read()) for photo in (self.photo, self._any(rng))]
        layers = []
        for number in range(int(rng.integers(FEWEST, MOST + 1))):
            which = 0 if number < FEWEST else int(rng.integers(0, 2))
            layers.append((*placed(*kinds[which], size, rng), _path(rng)))
        return Shot(*moving_layers(behind, layers, frames, rng))

    def _any(self, rng: np.random.Generator) -> Photo:
        return self.others[int(rng.integers(0, len(self.others)))]


@dataclass(frozen=True)
class Beside:
    """A video with copies of its object beside it, each with a lag and a place of its own.

    Attributes:
        video: the video, whose first object is copied.
    """

    video: Video

    @property
    def name(self) -> str:
        """The video's."""
        return f"beside {self.video.name}"

    def shot_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """What is asked for."""
        return size

    def shot(self, frames: int, size: tuple[int, int], rng: np.random.Generator) -> Shot:
        """Its frames with the copies, at a size (H, W)."""
        shot = self.video.shot(frames, size, rng)
        images, masks = shot.images.copy(), shot.masks.copy()
        for label in range(2, 2 + int(rng.integers(1, MOST_COPIES + 1))):
            begin, end = rng.uniform(-0.5, 0.5, (2, 2)) * size[::-1]
            mirrored, behind = rng.random() < 0.5, rng.random() < 0.5
            lag, light = int(rng.integers(0, 2)), rng.uniform(0.85, 1.15)
            for t in range(frames):
                source = max(0, t - lag)
                image, mask = shot.images[source], (shot.masks[source] == 1).astype(np.uint8)
                if not mask.any():
                    continue
                when = t / max(1, frames - 1)
                move = _moved(mask, mirrored, (1 - when) * begin + when * end)
                colour = cv2.warpAffine(image, move, size[::-1], flags=cv2.INTER_LINEAR)
                inside = cv2.warpAffine(mask, move, size[::-1], flags=cv2.INTER_NEAREST) > 0
                if behind:
                    inside &= masks[t] == 0
                images[t][inside] = np.clip(colour[inside] * light, 0, 255)
                masks[t][inside] = label
        return Shot(images, masks)


def scenes(photos: Sequence[Photo]) -> list[Scene]:
    """A scene of each photo."""
    return [Scene(photo, photos) for photo in photos]


def cut_out(image: Frame, mask: Mask) -> tuple[Frame, Mask]:
    """An object's box (h, w, 3), and where in it the object is; the whole photo without one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return image, np.ones_like(mask)
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return image[box], mask[box]


def placed(
    image: Frame, mask: Mask, size: tuple[int, int], rng: np.random.Generator
) -> tuple[Frame, Mask]:
    """A cut-out somewhere in a frame of a size (H, W), a little lighter or darker, maybe mirrored.

    It lies about the middle, for paths turn and scale about it.
    """
    tall = rng.uniform(*TALL) * size[0]
    scale = tall / max(mask.shape)
    shape = max(2, round(mask.shape[1] * scale)), max(2, round(mask.shape[0] * scale))
    small = cv2.resize(image, shape, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(mask, shape, interpolation=cv2.INTER_NEAREST)
    if rng.random() < 0.5:
        small, inside = small[:, ::-1], inside[:, ::-1]
    light = np.clip(small * rng.uniform(0.85, 1.15), 0, 255).astype(np.uint8)
    canvas, where = np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8)
    height, width = min(inside.shape[0], size[0]), min(inside.shape[1], size[1])
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    canvas[top : top + height, left : left + width] = light[:height, :width]
    where[top : top + height, left : left + width] = inside[:height, :width] > 0
    return canvas, where


def _path(rng: np.random.Generator) -> Path:
    path = Path.random(ALIKE, rng)
    place = np.append(rng.uniform(-0.35, 0.35, 2), np.zeros(3))
    path = replace(path, begin=path.begin + place, end=path.end + place)
    if rng.random() < AWAY:
        path = replace(path, detour=rng.uniform(-STRAY, STRAY, 2))
    return path


def _moved(mask: Mask, mirrored: bool, shift: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The affine map (2, 3) that shifts an object by (x, y) pixels and may mirror it in place."""
    columns = np.flatnonzero(mask.any(axis=0))
    if mirrored:
        return np.array([[-1.0, 0.0, columns[0] + columns[-1] + shift[0]], [0.0, 1.0, shift[1]]])
    return np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
