"""What an adapter has learnt, and from what: the clips, their samples and strokes, the networks.

A stroke belongs to its clip, and its frame's number means nothing on another. What Eq. 3 needs of
samples adds up over all of them. So a round is a lesson, whatever clip it is on, and lessons add.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from vostool.adapter.ridge import SufficientStatistics
from vostool.adapter.sampling import Samples
from vostool.presets import Preset


@dataclass(frozen=True)
class Provenance:
    """Which features a classifier reads, whatever the clip.

    Attributes:
        network: the backbone.
        features: what it reads, ``backbone``, ``context`` or ``both``.
        networks: what made them, in their cache key's words: networks, weights, options.
        seed: of the random choice of negatives.
        version: vostool's, that wrote the file.
    """

    network: str
    features: str
    networks: dict[str, Any]
    seed: int
    version: str


@dataclass(frozen=True)
class LearntClip:
    """A clip that was drawn on.

    Attributes:
        name: the clip's, in its store.
        features_key: the digest of its features' cache key, which the fingerprint of its frames is
            part of: where it is another, so is the clip.
        size: (H, W) of the clip.
        scribbles: the scribble files, a round each.
        samples: the labelled pixels of every round; rounds count within the clip.
        strokes: every pixel that bore a stroke, sample or not, the later over the earlier.
    """

    name: str
    features_key: str
    size: tuple[int, int]
    scribbles: tuple[str, ...]
    samples: Samples
    strokes: Samples

    def plus(self, later: LearntClip) -> LearntClip:
        """With the rounds that came after."""
        return replace(
            self,
            scribbles=self.scribbles + later.scribbles,
            samples=Samples.concat([self.samples, later.samples]),
            strokes=Samples.concat([self.strokes, later.strokes]),
        )


@dataclass(frozen=True)
class Lesson:
    """What a round of strokes on a clip teaches.

    Attributes:
        clip: the clip, with this round alone.
        statistics: the sums over the round's samples.
        preset: how they were sampled, and are to be fitted.
        provenance: which features were read.
    """

    clip: LearntClip
    statistics: SufficientStatistics
    preset: Preset
    provenance: Provenance
