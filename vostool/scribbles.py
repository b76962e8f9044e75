"""Strokes that a person draws: read, check, rasterise.

Two formats are read: the JSON of the DAVIS interactive benchmark (Caelles et al., "The 2018 DAVIS
Challenge on Video Object Segmentation", arXiv:1803.00557), and indexed PNGs named by frame, as any
paint program can draw them. From Python they are made of arrays or of strokes, too.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vostool.errors import ScribbleError
from vostool.files import read_bounded
from vostool.images import is_image, read_mask

BACKGROUND = 0
LARGEST_OBJECT_ID = 255
LARGEST_WIDTH = 256
"""Of a stroke, in pixels."""
PAINTED_BACKGROUND = 255
"""The index of background strokes in a painted PNG or array, where 0 is the blank canvas."""
UNMARKED = -1
"""Where a stroke map holds no stroke."""
MOST_OF_A_FRAME = 0.5
"""Strokes of one label that cover more than this share of a painted file are its canvas."""

StrokeMap = npt.NDArray[np.int16]
"""(H, W): the object id drawn on each pixel, 0 for background strokes, -1 where nothing is."""


@dataclass(frozen=True)
class Stroke:
    """One line drawn without lifting the pen.

    Attributes:
        object_id: 0 is background, 1..255 are objects.
        path: (n, 2) float64, x and y in 0..1 of the frame's width and height.
        width: of the line, in the clip's pixels.
    """

    object_id: int
    path: npt.NDArray[np.float64]
    width: int = 1


@dataclass(frozen=True)
class Scribbles:
    """One round of scribbles on a clip.

    Attributes:
        source: the file they came from, for messages and provenance.
        strokes: the strokes of each annotated frame, by frame number.
        drawn: stroke maps of frames that were painted as pixels, by frame number.
        frames: the frame count that the file speaks of, if it does.
        sequence: the clip's name that the file speaks of, if it does.
    """

    source: str
    strokes: dict[int, list[Stroke]]
    drawn: dict[int, StrokeMap]
    frames: int | None = None
    sequence: str | None = None

    @classmethod
    def from_arrays(
        cls, painted: Mapping[int, npt.NDArray[np.integer]], source: str = "arrays"
    ) -> Scribbles:
        """One round painted as pixels.

        Args:
            painted: by frame number, (H, W) of the clip's size: 0 is untouched, k is object k, 255
                is background.
            source: what to call it in messages.

        Raises:
            ScribbleError: an array is not two-dimensional, or has other values.
        """
        drawn: dict[int, StrokeMap] = {}
        for frame, pixels in painted.items():
            where = f"{source}: frame {frame}"
            pixels = np.asarray(pixels)
            _check_frame(frame, source)
            _check_painted(pixels, where, 0, PAINTED_BACKGROUND)
            marks = pixels.astype(np.int16)
            marks[pixels == 0] = UNMARKED
            marks[pixels == PAINTED_BACKGROUND] = BACKGROUND
            if (marks != UNMARKED).any():
                drawn[frame] = marks
        return cls(source, {}, drawn)

    @classmethod
    def from_strokes(
        cls, strokes: Mapping[int, Sequence[Stroke]], source: str = "strokes"
    ) -> Scribbles:
        """One round of strokes.

        Args:
            strokes: by frame number.
            source: what to call it in messages.

        Raises:
            ScribbleError: an object id or a point is out of range.
        """
        _check_strokes(strokes, source)
        return cls(source, {frame: list(here) for frame, here in strokes.items() if here}, {})

    @property
    def annotated_frames(self) -> list[int]:
        """The numbers of the frames that bear a stroke, ascending."""
        return sorted({*self.strokes, *self.drawn})

    @property
    def object_ids(self) -> list[int]:
        """The objects that bear a stroke, ascending, without background."""
        ids = {stroke.object_id for strokes in self.strokes.values() for stroke in strokes}
        for drawn in self.drawn.values():
            ids.update(int(i) for i in np.unique(drawn) if i != UNMARKED)
        return sorted(ids - {BACKGROUND})

    def check_against(self, frames: int, size: tuple[int, int]) -> None:
        """Make sure that these scribbles can lie on a clip, however they were made.

        Args:
            frames: how many the clip has.
            size: (H, W) of the clip.

        Raises:
            ScribbleError: an object id or a point is out of range; they speak of more frames than
                the clip has, or were painted at another size.
        """
        _check_strokes(self.strokes, self.source)
        last = max(self.annotated_frames, default=-1)
        if last >= frames or (self.frames or 0) > frames:
            told = max(last + 1, self.frames or 0)
            raise ScribbleError(
                f"{self.source}: speaks of {told} frames, the clip has {frames}; "
                "give the scribbles of this clip, or extract the range they were drawn on"
            )
        for frame, drawn in self.drawn.items():
            where = f"{self.source}: frame {frame}"
            _check_frame(frame, self.source)
            _check_painted(drawn, where, UNMARKED, LARGEST_OBJECT_ID)
            if drawn.shape != size:
                raise ScribbleError(
                    f"{where} was painted at {drawn.shape[1]}x{drawn.shape[0]}, the clip is "
                    f"{size[1]}x{size[0]}; paint at the clip's size"
                )

    def check_sequence(self, names: Collection[str]) -> None:
        """Make sure that these scribbles were drawn on a clip of one of some names.

        Raises:
            ScribbleError: they speak of another sequence.
        """
        if self.sequence is not None and self.sequence not in names:
            raise ScribbleError(
                f"{self.source}: was drawn on {self.sequence!r}, this clip is {min(names)!r}; give "
                "its own scribbles, or --any-clip if they fit all the same"
            )

    def stroke_map(self, frame: int, size: tuple[int, int]) -> StrokeMap:
        """Rasterise one frame's strokes; a later stroke covers an earlier one.

        Args:
            frame: the frame's number.
            size: (H, W) of the frame.
        """
        height, width = size
        marks = self.drawn.get(frame)
        marks = np.full(size, UNMARKED, np.int16) if marks is None else marks.copy()
        for stroke in self.strokes.get(frame, []):
            pixels = np.rint(stroke.path * (width - 1, height - 1)).astype(np.int32)
            pixels = np.concatenate([pixels[:1], pixels])  # so that a click draws a point
            line = np.zeros(size, np.uint8)
            cv2.polylines(line, [pixels.reshape(-1, 1, 2)], False, 1, 1)
            # OpenCV's own thick lines are up to two pixels thicker.
            disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (stroke.width, stroke.width))
            marks[cv2.dilate(line, disc) > 0] = stroke.object_id
        return marks


AnyScribbles = (
    Scribbles | str | Path | Mapping[int, npt.NDArray[np.integer]] | Mapping[int, Sequence[Stroke]]
)
"""What a round of scribbles can be given as: see :func:`as_scribbles`."""


def as_scribbles(given: AnyScribbles) -> Scribbles:
    """One round of scribbles, of whatever they are given as.

    Args:
        given: scribbles; a path, as of :func:`read_scribbles`; or, by frame number, arrays, as of
            :meth:`Scribbles.from_arrays`, or lists of strokes.

    Raises:
        ScribbleError: they are not what they should be, or hold no stroke.
        ImageError: a painted file is not a whole image of labels.
    """
    if isinstance(given, Scribbles):
        return given
    if isinstance(given, (str, Path)):
        return read_scribbles(given)
    painted, strokes = {}, {}
    for frame, content in given.items():
        if isinstance(content, np.ndarray):
            painted[frame] = content
        else:
            strokes[frame] = content
    if painted and strokes:
        raise ScribbleError("scribbles: give arrays for all frames, or strokes for all")
    made = Scribbles.from_arrays(painted) if painted else Scribbles.from_strokes(strokes)
    if not made.annotated_frames:
        raise ScribbleError("scribbles: no stroke at all; draw on at least one frame")
    return made


def read_scribbles(path: str | Path) -> Scribbles:
    """Read one round of scribbles: a DAVIS interactive JSON file, or a folder of indexed PNGs.

    Raises:
        ScribbleError: the file is missing, is not of its format, or holds no stroke.
        ImageError: a painted file is not a whole image of labels.
    """
    path = Path(path)
    if not path.exists():
        raise ScribbleError(f"{path}: no such file; give a scribble JSON or a folder of PNGs")
    scribbles = _read_painted(path) if path.is_dir() else _read_json(path)
    if not scribbles.annotated_frames:
        raise ScribbleError(f"{path}: no stroke at all; draw on at least one frame")
    return scribbles


def parse_scribbles(document: Any, source: str) -> Scribbles:
    """Check a decoded DAVIS interactive document and turn it into strokes.

    Args:
        document: ``{"sequence": …, "scribbles": [per frame [{"path": [[x, y], …],
            "object_id": …}, …], …]}``.
        source: what to call it in messages.

    Raises:
        ScribbleError: a key, a type or a number is not what it should be; the message says where.
    """
    if not isinstance(document, dict) or not isinstance(document.get("scribbles"), list):
        raise ScribbleError(
            f'{source}: not scribbles; the top must be an object with a list "scribbles", '
            "one list of strokes a frame"
        )
    strokes: dict[int, list[Stroke]] = {}
    for frame, entries in enumerate(document["scribbles"]):
        if not isinstance(entries, list):
            raise ScribbleError(f"{source}: frame {frame}: its strokes must be a list")
        if entries:
            strokes[frame] = [
                _parse_stroke(entry, f"{source}: frame {frame}, stroke {number}")
                for number, entry in enumerate(entries)
            ]
    sequence = document.get("sequence")
    if sequence is not None and not isinstance(sequence, str):
        raise ScribbleError(f'{source}: "sequence" must be a name')
    return Scribbles(source, strokes, {}, len(document["scribbles"]), sequence)


def _parse_stroke(entry: Any, where: str) -> Stroke:
    if not isinstance(entry, dict) or not {"path", "object_id"} <= entry.keys():
        raise ScribbleError(f'{where}: must be an object with "path" and "object_id"')
    path = entry["path"]
    if not isinstance(path, list) or not path:
        raise ScribbleError(f'{where}: "path" must be a list of [x, y] points')
    for point in path:
        if not isinstance(point, list) or len(point) != 2 or not all(map(_is_number, point)):
            raise ScribbleError(f"{where}: a point must be [x, y], two numbers in 0..1")
        if not all(0.0 <= value <= 1.0 for value in point):  # before a huge one is no float
            raise _outside(point, where)
    stroke = Stroke(entry["object_id"], np.asarray(path, np.float64), entry.get("width", 1))
    _check_stroke(stroke, where)
    return stroke


def _check_strokes(strokes: Mapping[int, Sequence[Stroke]], source: str) -> None:
    for frame, here in strokes.items():
        _check_frame(frame, source)
        for number, stroke in enumerate(here):
            _check_stroke(stroke, f"{source}: frame {frame}, stroke {number}")


def _check_frame(frame: int, source: str) -> None:
    if isinstance(frame, bool) or not isinstance(frame, (int, np.integer)) or frame < 0:
        raise ScribbleError(f"{source}: frame {frame}: frames count from 0")


def _check_painted(pixels: npt.NDArray[Any], where: str, least: int, most: int) -> None:
    if pixels.ndim != 2 or pixels.dtype.kind not in "iu":
        raise ScribbleError(f"{where}: must be an array (H, W) of whole numbers")
    if pixels.size and (pixels.min() < least or pixels.max() > most):
        raise ScribbleError(f"{where}: its values must be in {least}..{most}")


def _check_stroke(stroke: Stroke, where: str) -> None:
    object_id, path = stroke.object_id, stroke.path
    if isinstance(object_id, bool) or not isinstance(object_id, (int, np.integer)):
        raise ScribbleError(f'{where}: "object_id" must be a whole number')
    if not BACKGROUND <= object_id <= LARGEST_OBJECT_ID:
        raise ScribbleError(f"{where}: object id {object_id} is not in 0..{LARGEST_OBJECT_ID}")
    if isinstance(stroke.width, bool) or not isinstance(stroke.width, (int, np.integer)):
        raise ScribbleError(f'{where}: "width" must be a whole number')
    if not 1 <= stroke.width <= LARGEST_WIDTH:
        raise ScribbleError(f"{where}: width {stroke.width} is not in 1..{LARGEST_WIDTH}")
    if not isinstance(path, np.ndarray) or path.dtype.kind not in "fiu":
        raise ScribbleError(f'{where}: "path" must be an array of numbers')
    if path.ndim != 2 or path.shape[1] != 2 or not len(path):
        raise ScribbleError(f'{where}: "path" must be points (n, 2), x and y')
    outside = ~((path >= 0.0) & (path <= 1.0)).all(axis=1)  # NaN is caught here, too
    if outside.any():
        raise _outside(path[outside][0].tolist(), where)


def _outside(point: list[float], where: str) -> ScribbleError:
    return ScribbleError(
        f"{where}: point {point} is not in 0..1; x and y count in widths and heights"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _read_json(path: Path) -> Scribbles:
    try:
        document = json.loads(read_bounded(path).decode("utf-8"))
    except (ValueError, RecursionError) as problem:
        raise ScribbleError(f"{path}: not a JSON file ({problem})") from problem
    except OSError as problem:
        raise ScribbleError(f"{path}: cannot be read ({problem.strerror})") from problem
    return parse_scribbles(document, str(path))


def _read_painted(folder: Path) -> Scribbles:
    """Indexed PNGs ``00012.png`` painted on a blank canvas: 0 is untouched, 255 is background."""
    painted: dict[int, npt.NDArray[np.uint8]] = {}
    files = sorted(f for f in folder.iterdir() if is_image(f) and f.suffix.lower() == ".png")
    if not files:
        raise ScribbleError(f"{folder}: no PNG in this folder; name them by frame, as 00012.png")
    for file in files:
        if not file.stem.isdecimal():
            raise ScribbleError(f"{file}: name it by its frame's number, as 00012.png")
        if int(file.stem) in painted:
            raise ScribbleError(f"{file}: frame {int(file.stem)} has another PNG; keep one of them")
        painted[int(file.stem)] = pixels = read_mask(file)
        _check_canvas(file, pixels)
    return Scribbles.from_arrays(painted, str(folder))


def _check_canvas(file: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """Make sure that a painted file's canvas is blank: paint programs sort palettes anew.

    Raises:
        ScribbleError: an index other than 0 lies where a canvas does.
    """
    covered = np.bincount(pixels.ravel(), minlength=1)
    index = int(covered.argmax())
    if index != 0 and covered[index] > MOST_OF_A_FRAME * pixels.size:
        raise ScribbleError(
            f"{file}: index {index} covers {covered[index] / pixels.size:.0%} of it, as a canvas "
            "does; make the canvas index 0 (object k index k, background 255), and save the "
            "palette as it is, not sorted or reduced"
        )
