"""The two presets: the paper's method to the letter, and ours where a measurement says so."""

from __future__ import annotations

from dataclasses import dataclass

from vostool.errors import VostoolError

FEATURES = ("backbone", "context", "both")
"""The features that a classifier can read."""


@dataclass(frozen=True)
class Preset:
    """How an adapter is fitted, and what its scores become.

    Attributes:
        ridge: λ of Eq. 3.
        boundary_margin: from the second round on, corrections nearer than this to the boundary of
            the last mask are no samples; in the network's pixels, 0 to take all.
        decoder: masks come from the decoder, not from the best score alone.
        features: what is read: ``backbone``, ``context`` or ``both``.
    """

    ridge: float
    boundary_margin: float
    decoder: bool
    features: str


PRESETS = {
    "paper": Preset(
        ridge=30.0,
        boundary_margin=0.0,
        decoder=False,
        features="context",
    ),
    "default": Preset(
        ridge=4.0,
        boundary_margin=6.0,
        decoder=True,
        features="backbone",
    ),
}
"""The paper gives no λ. Both, and the margin of 6 pixels, were chosen on DAVIS training sequences;
``docs/results.md`` tells what they are worth."""


def find_preset(name: str) -> Preset:
    """A preset by name.

    Raises:
        VostoolError: there is none of that name.
    """
    if name not in PRESETS:
        raise VostoolError(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]
