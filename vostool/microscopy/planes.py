"""The planes of a microscope's image by axes t, c and z: the frames of a channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vostool.errors import ClipError

LISTED = 12
"""Channels that a message lists, at most."""


@dataclass(frozen=True)
class Planes:
    """How an image's planes (H, W) are arranged.

    Attributes:
        path: the image, which errors name.
        sizes: how many there are along each of the axes ``t``, ``c`` and ``z`` that there are.
        names: of the channels, in order; empty ones, or none, where nobody named them.
    """

    path: Path
    sizes: Mapping[str, int]
    names: tuple[str, ...] = ()

    @property
    def frame_axis(self) -> str | None:
        """Along which axis planes are frames: time, or depth where there is one time alone.

        Raises:
            ClipError: there are several times and several depths.
        """
        many = [axis for axis in "tz" if self.sizes.get(axis, 1) > 1]
        if len(many) > 1:
            raise ClipError(
                f"{self.path}: has {self.sizes['z']} slices of depth at each of "
                f"{self.sizes['t']} times; save the slice that is wanted, or a projection, as an "
                "image of its own"
            )
        return next((axis for axis in (*many, "t", "z") if axis in self.sizes), None)

    @property
    def frames(self) -> int:
        """How many frames a channel has."""
        return 1 if self.frame_axis is None else self.sizes[self.frame_axis]

    @property
    def channels(self) -> int:
        """How many channels there are."""
        return self.sizes.get("c", 1)

    def channel(self, chosen: int | str | None) -> int:
        """The number of a channel.

        Args:
            chosen: its number, from 0, or its name; None where there is one alone.

        Raises:
            ClipError: there is no such channel; or there are several, and none is chosen.
        """
        if chosen is None and self.channels == 1:
            return 0
        if isinstance(chosen, int) and 0 <= chosen < self.channels:
            return chosen
        same = [number for number, name in enumerate(self.names) if name == str(chosen)]
        if len(same) == 1 and same[0] < self.channels:
            return same[0]
        what = "" if chosen is None else f"no channel {chosen!r} but "
        raise ClipError(f"{self.path}: has {what}{self._listed()}; choose one with --channel")

    def _listed(self) -> str:
        names = [*self.names, *[""] * self.channels][: self.channels]
        listed = [f"{number} {name}".strip() for number, name in enumerate(names)]
        more = ", …" if len(listed) > LISTED else ""
        count = "one channel" if self.channels == 1 else f"{self.channels} channels"
        return f"{count} ({', '.join(listed[:LISTED])}{more})"
