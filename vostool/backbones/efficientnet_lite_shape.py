"""EfficientNet-Lite0's table: what it is made of, whatever runs it, and which of it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vostool.backbones.backbone import LevelShape


@dataclass(frozen=True)
class StageShape:
    """One row of the architecture's table: ``repeats`` blocks of one kind."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    repeats: int


STAGES = (
    StageShape(1, 3, 1, 16, 1),
    StageShape(6, 3, 2, 24, 2),
    StageShape(6, 5, 2, 40, 2),
    StageShape(6, 3, 2, 80, 3),
    StageShape(6, 5, 1, 112, 3),
    StageShape(6, 5, 2, 192, 4),
    StageShape(6, 3, 1, 320, 1),
)
STEM_CHANNELS = 32
BATCH_NORM_EPSILON = 1e-3
MEAN, SCALE = 127, 128
"""A pixel p goes in as (p - MEAN) / SCALE."""
HEAD = ("_conv_head", "_bn1", "_fc")
"""What comes after the last stage."""
LEVELS = (
    LevelShape(4, (1,), 24),
    LevelShape(8, (2,), 40),
    LevelShape(16, (3, 4), 80 + 112),
    LevelShape(32, (5, 6), 192 + 320),
)
"""Six of the network's stages: why these is in docs/how-it-works.md, under "Which features"."""


@dataclass(frozen=True)
class BlockShape:
    """One inverted residual.

    Attributes:
        inputs, inner, outputs: its channels before, within and after.
        kernel, stride: of its depthwise convolution.
        ends_stage: whether it is the last one of its stage.
    """

    inputs: int
    inner: int
    outputs: int
    kernel: int
    stride: int
    ends_stage: bool

    @property
    def expands(self) -> bool:
        """Whether it has more channels within."""
        return self.inner != self.inputs

    @property
    def adds(self) -> bool:
        """Whether what goes in is added to what comes out."""
        return self.stride == 1 and self.inputs == self.outputs


def _blocks() -> Iterator[BlockShape]:
    inputs = STEM_CHANNELS
    for stage in STAGES:
        for repeat in range(stage.repeats):
            yield BlockShape(
                inputs,
                inputs * stage.expansion,
                stage.channels,
                stage.kernel,
                stage.stride if repeat == 0 else 1,
                ends_stage=repeat == stage.repeats - 1,
            )
            inputs = stage.channels


BLOCKS = tuple(_blocks())


def without_head(name: str) -> str | None:
    """A published tensor's name, if it belongs to a stage."""
    return None if name.split(".")[0] in HEAD else name
