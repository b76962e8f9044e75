"""TIFF stacks of several channels: which pages are the frames of one.

What pages are is told by the metadata of OME-TIFF, of ImageJ and of others that tifffile knows.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from tifffile import TiffFile, TiffPageSeries

from vostool.errors import ClipError
from vostool.microscopy.planes import Planes


def pages_of(file: Path, channel: int | str | None) -> list[int] | None:
    """The pages that are frames, in order; None where nothing says what pages are.

    Args:
        file: the stack.
        channel: the number or the name of the channel that is wanted; None where there is one.

    Raises:
        ClipError: there is no such channel, or there are several and none is chosen; or there are
            several times and several depths; or a frame's page is not in the file.
    """
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what is broken, Pillow tells of
    try:
        with TiffFile(file, _multifile=False) as tiff:
            series = tiff.series[0]
            if len(series) == 1 and series.keyframe.size < series.size:
                raise ClipError(
                    f"{file}: its planes lie behind one entry, as in ImageJ's stacks above 4 GB; "
                    "save it as OME-TIFF or OME-Zarr"
                )
            sizes = _sizes(series)
            if sizes is None:
                return None
            planes = Planes(file, sizes, _names(tiff.ome_metadata))
            return _pages(planes, series, planes.channel(channel))
    except ClipError:
        raise
    except Exception:  # a head that tifffile cannot make sense of; Pillow may, or says why not
        return None


def _sizes(series: TiffPageSeries) -> dict[str, int] | None:
    """How many pages there are along each axis, in order; None where that is not told."""
    along = zip(series.axes.lower(), series.shape, strict=True)
    sizes = {axis: size for axis, size in along if axis not in "yxs"}
    told = any(sizes.get(axis, 1) > 1 for axis in "tcz")
    known = all(axis in "tcz" or size == 1 for axis, size in sizes.items())
    return sizes if told and known and math.prod(sizes.values()) == len(series) else None


def _names(ome: str | None) -> tuple[str, ...]:
    """The channels' names, where OME's metadata have them."""
    if ome is None:
        return ()
    pixels = ElementTree.fromstring(ome).find(".//{*}Image/{*}Pixels")
    found = [] if pixels is None else pixels.findall("{*}Channel")
    return tuple(channel.get("Name", "") for channel in found)


def _pages(planes: Planes, series: TiffPageSeries, channel: int) -> list[int]:
    places = np.arange(len(series)).reshape(tuple(planes.sizes.values()))
    taken = tuple(
        channel if axis == "c" else slice(None) if axis == planes.frame_axis else 0
        for axis in planes.sizes
    )
    pages = []
    for frame, place in enumerate(places[taken].reshape(-1).tolist()):
        page = series[place]
        if page is None:
            raise ClipError(
                f"{planes.path}: frame {frame} is no page of this file, but of another or of none; "
                "save it as one file"
            )
        pages.append(int(page.index))
    return pages
