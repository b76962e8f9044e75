"""A network at work on a CPU, without torch: a frame a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vostool.backbones.backbone import SHORTEST, LevelShape, levels_of
from vostool.checkpoints import Rename, load_arrays
from vostool.onnx_graph import Compiled, Graph, Weights, each
from vostool.pyramid import Level


class CompiledBackbone:
    """A :class:`vostool.backbones.Backbone`.

    Args:
        shapes: its levels, finest first.
        network: from ``frames`` (B, H, W, 3) uint8 to :func:`features_of` its stages.
    """

    precision = "float32"

    def __init__(self, shapes: Sequence[LevelShape], network: Compiled) -> None:
        self.engine = f"onnxruntime {version('onnxruntime')}"
        self._shapes, self._network = shapes, network

    def levels(self, height: int, width: int) -> tuple[Level, ...]:
        """The grids that frames of this size give, finest first."""
        return levels_of(self._shapes, height, width)

    def features(self, frames: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.float16]]:
        """Features of some frames (B, H, W, 3) uint8 RGB: (B, h, w, C) float16 a level."""
        numbers = range(len(frames))
        every = each(lambda n: self._network(frames=frames[n : n + 1]), numbers)
        return [np.concatenate(level) for level in zip(*every, strict=True)]


@dataclass(frozen=True)
class Compilable:
    """A network that is written down without torch.

    Attributes:
        build: makes it, of its weights.
        tensors: the shapes of these, by name.
        rename: from tensors' names in public files to its own.
    """

    build: Callable[[Weights], CompiledBackbone]
    tensors: Mapping[str, tuple[int, ...]]
    rename: Rename

    def loaded(self, weights: Path) -> CompiledBackbone:
        """The network, with the weights of a file.

        Raises:
            WeightsError: the file is broken, or another network's.
        """
        return self.build(load_arrays(self.tensors, weights, self.rename))


def features_of(graph: Graph, shapes: Sequence[LevelShape], stages: Sequence[str]) -> list[str]:
    """Stages as levels, (B, h, w, C) float16, as
    :meth:`vostool.backbones.architecture.Architecture.pyramid`."""
    shortest = graph.constant(np.float32(SHORTEST))
    levels = []
    for shape in shapes:
        unit = []
        for stage in shape.stages:
            grid = graph.node("Transpose", stages[stage], perm=[0, 2, 3, 1])
            length = graph.node("ReduceL2", grid, axes=[3])
            unit.append(graph.node("Div", grid, graph.node("Max", length, shortest)))
        whole = graph.node("Concat", *unit, axis=3) if len(unit) > 1 else unit[0]
        levels.append(graph.in_float16(whole))
    return levels
