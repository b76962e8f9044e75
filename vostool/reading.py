"""How pictures are made of what a clip's files hold, where that is a choice."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from vostool.errors import UsageError


@dataclass(frozen=True)
class Reading:
    """Choices that change a clip's pixels, and so are part of what the clip is.

    Attributes:
        deinterlace: of each frame of an interlaced video, the lines that were recorded later are
            made anew; there are as many frames as before.
        contrast: the value of images that becomes black and the one that becomes white, in the
            images' own numbers; None for all that their bits can tell.
        channel: of a TIFF stack or an OME-Zarr, the number from 0 or the name of the channel that
            is shown, in grey; None where there is one alone.

    Raises:
        UsageError: white is no more than black.
    """

    deinterlace: bool = False
    contrast: tuple[float, float] | None = None
    channel: int | str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.channel, str) and self.channel.isdecimal():
            object.__setattr__(self, "channel", int(self.channel))
        if self.contrast is not None:
            black, white = map(float, self.contrast)
            if not black < white:
                raise UsageError(f"--contrast {black:g}:{white:g}: white is to be more than black")
            object.__setattr__(self, "contrast", (black, white))  # equal for equal fingerprints

    def as_dict(self) -> dict[str, Any]:
        """What was chosen, as JSON has it; empty where nothing was."""
        unset = asdict(Reading())
        chosen = {name: value for name, value in asdict(self).items() if value != unset[name]}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in chosen.items()}

    @classmethod
    def from_dict(cls, chosen: dict[str, Any]) -> Reading:
        """Read what :meth:`as_dict` wrote.

        Raises:
            ValueError: it is not that.
        """
        return cls(
            bool(chosen.get("deinterlace", False)), chosen.get("contrast"), chosen.get("channel")
        )
