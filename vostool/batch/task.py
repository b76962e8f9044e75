"""What a batch makes of each clip: its stages, by which commands, with which options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vostool.adapter import Adapter
from vostool.errors import UsageError
from vostool.store import STAGES_OF

STAGES = ("extract", "propagate", "render")
"""What can be made of a clip, in the order in which it is made."""
MASKS = "masks"
"""The folder of a batch in which each clip's masks have a folder."""


@dataclass(frozen=True)
class Task:
    """What is to be made of each clip. All paths are absolute, for jobs run elsewhere.

    Attributes:
        stages: some of :data:`STAGES`, in their order.
        store: the feature store: a folder, or a URL.
        folder: the batch's own.
        backbone, weights, network_height: as of ``vostool extract``.
        model: as of ``vostool propagate``.
        adapter: what ``vostool render`` makes masks with; None where it is no stage.
        device: where networks run.
    """

    stages: tuple[str, ...]
    store: str
    folder: str
    backbone: str
    weights: str | None
    network_height: int
    model: str
    adapter: str | None
    device: str

    def masks(self, clip: str) -> Path:
        """The folder of a clip's masks."""
        return Path(self.folder, MASKS, clip)

    def command(self, stage: str, clip: str, source: str) -> list[str]:
        """The words of the command that makes a stage of a clip, after ``vostool``."""
        common = ["--store", self.store, "--device", self.device]
        if stage == "render":
            assert self.adapter is not None
            out = str(self.masks(clip))
            return ["render", *common, "--adapter", self.adapter, "--out", out, "--", clip]
        common += ["--backbone", self.backbone]
        if stage == "propagate":
            return ["propagate", *common, "--model", self.model, "--", clip]
        weights = [] if self.weights is None else ["--weights", self.weights]
        height = ["--height", str(self.network_height)]
        return ["extract", *common, *weights, *height, "--", source]

    def as_json(self) -> dict[str, Any]:
        """What :meth:`from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Task:
        """Read what :meth:`as_json` wrote.

        Raises:
            TypeError, KeyError: it is not whole.
        """
        return cls(**{**stored, "stages": tuple(stored["stages"])})


def in_order(stages: str) -> tuple[str, ...]:
    """Some of :data:`STAGES`, given with commas between them, in their order.

    Raises:
        UsageError: one of them is none, or there is none.
    """
    asked = {stage.strip() for stage in stages.split(",")}
    unknown = asked - {*STAGES}
    if unknown:
        raise UsageError(f"no stage {min(unknown)!r}; there are: {', '.join(STAGES)}")
    return tuple(stage for stage in STAGES if stage in asked)


def needed(adapter: Adapter | None) -> tuple[str, ...]:
    """The stages that an adapter's masks need; without one, clips are extracted.

    Args:
        adapter: with which masks are made, if they are.
    """
    if adapter is None:
        return ("extract",)
    reads = STAGES_OF[adapter.provenance.features]
    return ("extract", *(["propagate"] if "context" in reads else []), "render")
