"""Short clips from photos: synthetic motion, the usual stand-in for a large set of videos.

The object is cut out along its mask and moves apart from what is behind it: each has an affine path
and a thin-plate bend that grows from the first frame to the last. Objects of other photos may pass
in front, light changes, and some clips are out of focus. As in Perazzi et al., "Learning Video
Object Segmentation from Static Images", CVPR 2017, and Wug Oh et al., CVPR 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from vostool.images import Frame, Mask

FloatArray = npt.NDArray[np.float64]

GRID = 16
"""Pixels between the points at which a warp is computed; it is smooth in between."""
COARSER = 4
"""How many times smaller the grid is on which a removed object is painted over."""
CONTROLS = 4
"""Points along each side of the grid that bends a layer."""


@dataclass(frozen=True)
class Range:
    """How far a layer may move, to either side, from the first frame to the last.

    Attributes:
        shift: in widths and heights of the frame.
        turn: in degrees.
        zoom: the logarithm of the scale.
        shear: in widths a height.
        bend: of the thin plate's control points, in widths and heights.
    """

    shift: float
    turn: float
    zoom: float
    shear: float
    bend: float


OBJECT = Range(shift=0.15, turn=15.0, zoom=0.2, shear=0.1, bend=0.04)
BACKGROUND = Range(shift=0.05, turn=4.0, zoom=0.06, shear=0.02, bend=0.01)
PASSING = Range(shift=0.5, turn=20.0, zoom=0.2, shear=0.1, bend=0.04)


@dataclass(frozen=True)
class Path:
    """One layer's motion: where it begins, and where it ends.

    Attributes:
        begin, end: (5,) shift x and y, turn, zoom, shear.
        bend: (CONTROLS², 2) how far the control points are displaced at the end.
        detour: (2,) how far the shift strays from the straight way, half-way.
    """

    begin: FloatArray
    end: FloatArray
    bend: FloatArray
    detour: FloatArray = field(default_factory=lambda: np.zeros(2))

    @classmethod
    def random(cls, extent: Range, rng: np.random.Generator) -> Path:
        """A path within an extent."""
        most = np.array(
            [extent.shift, extent.shift, np.deg2rad(extent.turn), extent.zoom, extent.shear]
        )
        begin, end = rng.uniform(-most / 2, most / 2, (2, 5))
        return cls(begin, end, rng.uniform(-extent.bend, extent.bend, (CONTROLS**2, 2)))

    def sources(self, when: float, size: tuple[int, int]) -> npt.NDArray[np.float32]:
        """Where each pixel of a frame comes from in the photo.

        Args:
            when: 0 is the first frame, 1 the last.
            size: (H, W).

        Returns:
            (H, W, 2), x and y.
        """
        height, width = size
        rows, columns = map(_points, size)
        grid = np.stack(np.meshgrid(columns / width, rows / height), axis=-1)
        shift_x, shift_y, turn, zoom, shear = (1 - when) * self.begin + when * self.end
        shift_x, shift_y = (shift_x, shift_y) + np.sin(np.pi * when) * self.detour
        cos, sin = np.cos(turn) * np.exp(zoom), np.sin(turn) * np.exp(zoom)
        forward = np.array([[cos, -sin + shear], [sin, cos]])
        origin = (grid - 0.5 - (shift_x, shift_y)) @ np.linalg.inv(forward).T + 0.5
        bent = origin + when * thin_plate(_CONTROL_POINTS, self.bend, origin)
        tall, wide = map(_between, size)
        pixels: npt.NDArray[np.float32] = np.stack(
            [
                tall @ (bent[..., axis] * length) @ wide.T
                for axis, length in ((0, width), (1, height))
            ],
            axis=-1,
        ).astype(np.float32)
        return pixels


def thin_plate(controls: FloatArray, displacements: FloatArray, points: FloatArray) -> FloatArray:
    """The displacement at some points of a thin plate that is displaced at its control points.

    The interpolant of least bending energy (Bookstein, "Principal Warps", PAMI 1989).

    Args:
        controls: (n, 2), not all on a line.
        displacements: (n, 2) at the controls.
        points: (…, 2).

    Returns:
        (…, 2).
    """
    n = len(controls)
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = _radial(controls[:, None] - controls)
    system[:n, n], system[:n, n + 1 :] = 1, controls
    system[n:, :n] = system[:n, n:].T
    weights = np.linalg.solve(system, np.concatenate([displacements, np.zeros((3, 2))]))
    bent = _radial(points[..., None, :] - controls) @ weights[:n]
    return np.asarray(bent + weights[n] + points @ weights[n + 1 :])


def moving_photo(
    image: Frame,
    mask: Mask,
    passing: Sequence[tuple[Frame, Mask]],
    frames: int,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """A clip of one photo's object in motion, with other photos' objects passing in front.

    Args:
        image: (H, W, 3).
        mask: (H, W), the object is where it is not 0.
        passing: photos and masks of the same size, whose objects pass.
        frames: how many to make.
        rng: decides everything.

    Returns:
        (T, H, W, 3) frames and (T, H, W) label masks: 1 is the photo's object, then the passing.
    """
    layers = [(image, mask, Path.random(OBJECT, rng))]
    layers += [(other, cut, Path.random(PASSING, rng)) for other, cut in passing]
    return moving_layers(without_object(image, mask), layers, frames, rng)


def moving_layers(
    behind: Frame,
    layers: Sequence[tuple[Frame, Mask, Path]],
    frames: int,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """A clip of some objects, each on its path, before a background that moves a little.

    Args:
        behind: (H, W, 3) what is behind them.
        layers: photo (H, W, 3), mask (H, W) and path of each object, the last in front.
        frames: how many to make.
        rng: decides the background's path, light and focus.

    Returns:
        (T, H, W, 3) frames and (T, H, W) label masks: the layers are labelled 1, 2 and so on.
    """
    path_behind = Path.random(BACKGROUND, rng)
    light = _light(frames, rng)
    focus = rng.uniform(0.3, 1.5) if rng.random() < 0.3 else 0.0
    size = behind.shape[0], behind.shape[1]
    images, masks = np.empty((frames, *behind.shape), np.uint8), np.zeros((frames, *size), np.uint8)
    for t, when in enumerate(np.linspace(0, 1, frames)):
        where = path_behind.sources(float(when), size)
        frame = _warped(behind, where, cv2.BORDER_REFLECT_101)
        for label, (photo, cut, path) in enumerate(layers, 1):
            where = path.sources(float(when), size)
            inside = (cut > 0).astype(np.float32)
            alpha = _warped(inside, where, cv2.BORDER_CONSTANT)
            colour = _warped(photo, where, cv2.BORDER_REFLECT_101)
            frame = frame + alpha[..., None] * (colour - frame)
            masks[t][alpha > 0.5] = label
        frame = frame * light[t, 0] + light[t, 1]
        if focus:
            frame = cv2.GaussianBlur(frame, (0, 0), focus)
        images[t] = np.clip(frame, 0, 255).astype(np.uint8)
    return images, masks


def without_object(image: Frame, mask: Mask) -> Frame:
    """A photo with its object painted over by what is round it: blurred, at no cost to speak of."""
    inside = cv2.dilate((mask > 0).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    # What is painted is smooth, so it is made on a grid of a quarter of the size.
    small = (max(1, mask.shape[1] // COARSER), max(1, mask.shape[0] // COARSER))
    seen = (~inside).astype(np.float32)
    known = cv2.resize(seen, small, interpolation=cv2.INTER_AREA)
    colours = cv2.resize(image * seen[..., None], small, interpolation=cv2.INTER_AREA)
    filled, total = np.zeros(colours.shape, np.float32), np.zeros(known.shape, np.float32)
    for sigma in (1, 4, 16):  # a wider blur where the narrower finds nothing
        near = cv2.GaussianBlur(known, (0, 0), sigma)
        colour = cv2.GaussianBlur(colours, (0, 0), sigma)
        room = np.clip(1 - total, 0, 1) * np.minimum(near * 20, 1)
        filled += room[..., None] * colour / np.maximum(near, 1e-6)[..., None]
        total += room
    filled /= np.maximum(total, 1e-6)[..., None]
    painted = cv2.resize(filled, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(inside[..., None], painted, image).astype(np.uint8)


_side = (np.arange(CONTROLS) + 0.5) / CONTROLS
_CONTROL_POINTS: FloatArray = np.stack(np.meshgrid(_side, _side), axis=-1).reshape(-1, 2)


def _points(length: int) -> npt.NDArray[np.int_]:
    """Where along a line of pixels a warp is computed."""
    return np.append(np.arange(0, length - 1, GRID), length - 1)


@cache
def _between(length: int) -> FloatArray:
    """The matrix (length, n) that interpolates linearly between those points."""
    points = _points(length)
    return np.stack([np.interp(np.arange(length), points, row) for row in np.eye(len(points))]).T


def _radial(offsets: FloatArray) -> FloatArray:
    """r² log r² of offsets (…, 2)."""
    squared = (offsets**2).sum(axis=-1)
    return np.asarray(squared * np.log(np.maximum(squared, 1e-12)))


def _warped(
    image: npt.NDArray[np.uint8] | npt.NDArray[np.float32],
    sources: npt.NDArray[np.float32],
    border: int,
) -> npt.NDArray[np.float32]:
    x, y = np.ascontiguousarray(sources[..., 0]), np.ascontiguousarray(sources[..., 1])
    warped = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(warped, np.float32)


def _light(frames: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(T, 2) gain and offset of each frame, from one light to another."""
    begin, end = rng.uniform((0.8, -20), (1.2, 20), (2, 2))
    when = np.linspace(0, 1, frames)[:, None]
    return np.asarray((1 - when) * begin + when * end, np.float32)
