"""Masks out of COCO's JSON, of single images or of a video (YouTube-VIS), by whatever tool."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np

from vostool.errors import ScribbleError, UsageError
from vostool.files import parse_json
from vostool.images import Mask

UNKNOWN = 255
"""The label of what nobody tells apart: COCO's crowds."""
LARGEST_ID = UNKNOWN - 1
LARGEST_IMAGE = 2**28
"""Pixels of an image, at most: a file may tell of any number."""
FIRST_DIGIT, MORE, DIGITS = 48, 32, 64
"""Of compressed run lengths: the character of 0, the bit by which a number goes on, and how many
characters there are."""


@dataclass(frozen=True)
class Piece:
    """An object's region in a frame.

    Attributes:
        frame: its number.
        size: (H, W) of the image.
        label: the object, or :data:`UNKNOWN`.
        segmentation: as COCO has it: polygons, or run lengths.
    """

    frame: int
    size: tuple[int, int]
    label: int
    segmentation: Any


def library() -> ModuleType:
    """What knows COCO's run lengths.

    Raises:
        UsageError: pycocotools is not installed.
    """
    try:
        from pycocotools import mask
    except ImportError as problem:
        raise UsageError(
            "COCO's formats need pycocotools: pip install 'vostool[export]'"
        ) from problem
    module: ModuleType = mask
    return module


def read_coco_masks(file: Path) -> dict[int, Mask]:
    """Masks by frame number, of the images that have annotations; later ones cover earlier ones.

    An image's frame is the number at the end of its name. An object is what ``track_id`` says, or
    else the category; of several of one category in the file's only image, or video, each is one.

    Raises:
        ScribbleError: it is no such file, or does not tell which object or which frame.
        UsageError: pycocotools is not installed.
    """
    try:
        document = parse_json(file.read_text(encoding="utf-8"))
        masks: dict[int, Mask] = {}
        for piece in _of_video(document) if "videos" in document else _of_images(document):
            mask = masks.setdefault(piece.frame, np.zeros(piece.size, np.uint8))
            if mask.shape != piece.size:
                raise ValueError(f"frame {piece.frame} is of two sizes")
            mask[_decoded(piece.segmentation, piece.size) > 0] = piece.label
    except OSError as problem:
        raise ScribbleError(f"{file}: {problem.strerror}; give a COCO JSON file") from problem
    except KeyError as problem:
        raise ScribbleError(f"{file}: no COCO annotations: {problem} is missing") from problem
    except (ValueError, TypeError, AttributeError, IndexError, OverflowError) as problem:
        raise ScribbleError(f"{file}: no COCO annotations ({problem}); mend the file") from problem
    return masks


def _of_images(document: dict[str, Any]) -> Iterator[Piece]:
    images = {image["id"]: image for image in document["images"]}
    annotations = document["annotations"]
    for annotation, label in zip(annotations, _labels(annotations), strict=True):
        image = images[annotation["image_id"]]
        frame = _frame_of(image["file_name"])
        yield Piece(frame, _size_of(image), label, annotation["segmentation"])


def _of_video(document: dict[str, Any]) -> Iterator[Piece]:
    if len(document["videos"]) != 1:
        raise ValueError(f"it has {len(document['videos'])} videos, and not one")
    (video,) = document["videos"]
    tracks = document["annotations"]
    for track, label in zip(tracks, _labels(tracks), strict=True):
        for name, segmentation in zip(video["file_names"], track["segmentations"], strict=True):
            if segmentation:
                yield Piece(_frame_of(name), _size_of(video), label, segmentation)


def _labels(annotations: list[dict[str, Any]]) -> list[int]:
    """Which object each annotation is of."""
    key = "track_id" if all("track_id" in one for one in annotations) else "category_id"
    crowds = [bool(one.get("iscrowd")) for one in annotations]
    ids = [one[key] for one in annotations]
    images = [one.get("image_id") for one in annotations]
    counts = Counter(
        (image, one) for image, one, crowd in zip(images, ids, crowds, strict=True) if not crowd
    )
    if max(counts.values(), default=0) > 1:
        if len(set(images)) > 1:
            raise ValueError(
                "an image has several objects of a category, and which is which in the next is not "
                "told; give them a track_id, or a category each"
            )
        ids = list(range(1, len(ids) + 1))
    for number, crowd in zip(ids, crowds, strict=True):
        if not crowd and (type(number) is not int or not 1 <= number <= LARGEST_ID):
            raise ValueError(f"{key} {number!r}; objects are numbered from 1 to {LARGEST_ID}")
    return [UNKNOWN if crowd else int(one) for one, crowd in zip(ids, crowds, strict=True)]


def _frame_of(name: str) -> int:
    number = re.search(r"(\d{1,9})$", PurePosixPath(name).stem)
    if number is None:
        raise ValueError(f"image {name!r} has no number; name images by frame, as 00012.jpg")
    return int(number[1])


def _size_of(image: dict[str, Any]) -> tuple[int, int]:
    height, width = image["height"], image["width"]
    whole = type(height) is int and type(width) is int
    if not whole or min(height, width) < 1 or height * width > LARGEST_IMAGE:
        raise ValueError(f"an image of {width}x{height}")
    return height, width


def _decoded(segmentation: Any, size: tuple[int, int]) -> Mask:
    """The region (H, W) of 0 and 1; what COCO's program would not check is checked here."""
    coco, (height, width) = library(), size
    if isinstance(segmentation, list):
        for polygon in segmentation:
            places = np.asarray(polygon, float)
            beyond = ~((places >= -1) & (places <= 1 + max(size)))
            if places.ndim != 1 or len(places) < 6 or len(places) % 2 or beyond.any():
                raise ValueError("a polygon is none, or lies outside of its image")
        runs = coco.merge(coco.frPyObjects(segmentation, height, width))
        return np.asarray(coco.decode(runs), np.uint8)
    counts = segmentation["counts"]
    if list(segmentation["size"]) != [height, width]:
        raise ValueError(f"run lengths of {segmentation['size']} in an image of {[height, width]}")
    if isinstance(counts, str):
        letters = np.frombuffer(counts.encode(), np.uint8).astype(int) - FIRST_DIGIT
        if not len(letters) or letters.min() < 0 or letters.max() >= DIGITS or letters[-1] & MORE:
            raise ValueError("run lengths are cut off")
        runs = {"size": [height, width], "counts": counts.encode()}
    else:
        lengths = np.asarray(counts)
        if lengths.dtype.kind != "i" or lengths.min() < 0 or lengths.sum() != height * width:
            raise ValueError("run lengths do not fill the image")
        runs = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return np.asarray(coco.decode(runs), np.uint8)
