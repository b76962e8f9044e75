"""From what a decoder gives to what a viewer shows: 8-bit RGB, upright.

Turned as the file's display matrix says, the colours by the matrix that the frame is tagged with,
and light of more than the usual range (HDR: PQ and HLG) brought down to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter

from vostool.images import Frame

UNTAGGED = 2
"""FFmpeg's number of a colour matrix that is not told."""
HD = 576
"""Lines above which pictures that do not tell are taken for BT.709, as players do."""
MATRIX = "DISPLAYMATRIX"
PQ, HLG = 16, 18
"""FFmpeg's numbers of the transfer functions of HDR."""
TO_SDR = "out_transfer=bt709:out_primaries=bt709:out_range=pc:intent=perceptual"
"""Of FFmpeg's scale filter: tone-mapped as on a usual screen."""


class Viewer:
    """Turns decoded frames of one video into pictures."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._graph: tuple[tuple[object, ...], Graph] | None = None

    def show(self, frame: VideoFrame) -> Frame:
        """The picture (H, W, 3) uint8, RGB, upright."""
        if frame.color_trc in (PQ, HLG):
            rgb = self._tone_mapped(frame)
        else:
            hd = frame.colorspace == UNTAGGED and frame.height > HD
            rgb = self._reformatter.reformat(
                frame, format="rgb24", threads=1, src_colorspace=Colorspace.ITU709 if hd else None
            )
        return _turned(rgb.to_ndarray().astype(np.uint8, copy=False), orientation(frame))

    def _tone_mapped(self, frame: VideoFrame) -> VideoFrame:
        made_for = (frame.width, frame.height, frame.format.name, frame.colorspace)
        if self._graph is None or self._graph[0] != made_for:
            graph = Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format,
                time_base=Fraction(1, 1000),
            )  # fmt: skip
            graph.link_nodes(
                source, graph.add("scale", TO_SDR), graph.add("format", "rgb24"),
                graph.add("buffersink"),
            ).configure()  # fmt: skip
            self._graph = made_for, graph
        self._graph[1].push(frame)
        shown = self._graph[1].pull()
        assert isinstance(shown, VideoFrame)
        return shown


def orientation(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """How a frame is to be turned: transposed, then upside down, then left to right.

    Its display matrix, of FFmpeg's 16.16 numbers, sends the pixel (x, y) to (ax + cy, bx + dy).
    """
    side_data: Mapping[str, Any] = cast("Any", frame.side_data)  # all kinds; PyAV names some
    if MATRIX not in side_data:
        return False, False, False
    a, b, _, c, d = np.frombuffer(side_data[MATRIX], np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, b < 0, c < 0
    return False, d < 0, a < 0


def looks(frame: VideoFrame) -> bytes:
    """What decides, beside the coded pictures, how they look."""
    tags = (frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries)
    return repr((frame.width, frame.height, *map(int, tags), orientation(frame))).encode()


def upright_size(frame: VideoFrame) -> tuple[int, int]:
    """(H, W) of a frame as it is shown."""
    size = (frame.height, frame.width)
    return size[::-1] if orientation(frame)[0] else size


def _turned(picture: Frame, how: tuple[bool, bool, bool]) -> Frame:
    transposed, upside_down, mirrored = how
    turned = picture.swapaxes(0, 1) if transposed else picture
    turned = turned[::-1] if upside_down else turned
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)
