"""EfficientNet-Lite0 without torch: the same as ``efficientnet_lite``, step by step, compiled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vostool.backbones.compiled import Compilable, CompiledBackbone, features_of
from vostool.backbones.efficientnet_lite_shape import (
    BATCH_NORM_EPSILON,
    BLOCKS,
    LEVELS,
    MEAN,
    SCALE,
    STEM_CHANNELS,
    BlockShape,
    without_head,
)
from vostool.checkpoints import COUNTER
from vostool.onnx_graph import Graph, Weights


@dataclass(frozen=True)
class Layer:
    """A convolution and the batch norm behind it.

    Attributes:
        conv, norm: their published names.
        shape: of the convolution's weight.
    """

    conv: str
    norm: str
    shape: tuple[int, int, int, int]

    @property
    def tensors(self) -> dict[str, tuple[int, ...]]:
        """The shapes of its tensors, by their published names."""
        of_norm = ("weight", "bias", "running_mean", "running_var")
        return {
            f"{self.conv}.weight": self.shape,
            **{f"{self.norm}.{name}": self.shape[:1] for name in of_norm},
            f"{self.norm}.{COUNTER}": (),
        }

    def folded(self, weights: Weights) -> Weights:
        """One convolution for both: the same map, fewer steps."""
        gain, bias, mean, variance = (
            weights[f"{self.norm}.{name}"]
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / np.sqrt(variance + np.float32(BATCH_NORM_EPSILON))
        kernel = weights[f"{self.conv}.weight"] * scale[:, None, None, None]
        return {f"{self.conv}.weight": kernel, f"{self.conv}.bias": bias - mean * scale}


def _layers() -> Iterator[Layer]:
    yield Layer("_conv_stem", "_bn0", (STEM_CHANNELS, 3, 3, 3))
    for number, shape in enumerate(BLOCKS):
        name, inner, kernel = f"_blocks.{number}", shape.inner, shape.kernel
        if shape.expands:
            yield Layer(f"{name}._expand_conv", f"{name}._bn0", (inner, shape.inputs, 1, 1))
        yield Layer(f"{name}._depthwise_conv", f"{name}._bn1", (inner, 1, kernel, kernel))
        yield Layer(f"{name}._project_conv", f"{name}._bn2", (shape.outputs, inner, 1, 1))


LAYERS = tuple(_layers())
TENSORS = {name: shape for layer in LAYERS for name, shape in layer.tensors.items()}
"""The shapes of all tensors that are read, by their published names."""


def compiled(weights: Weights) -> CompiledBackbone:
    """The network, ready to run, of the arrays of :data:`TENSORS`."""
    graph = Graph({k: v for layer in LAYERS for k, v in layer.folded(weights).items()})
    x = graph.in_float32(graph.node("Transpose", "frames", perm=[0, 3, 1, 2]))
    x = graph.node("Sub", x, graph.constant(np.float32(MEAN)))
    x = graph.node("Div", x, graph.constant(np.float32(SCALE)))
    x = _relu6(graph, graph.conv("_conv_stem", x, stride=2))
    stages = []
    for number, shape in enumerate(BLOCKS):
        x = _block(graph, f"_blocks.{number}", shape, x)
        if shape.ends_stage:
            stages.append(x)
    outputs = features_of(graph, LEVELS, stages)
    return CompiledBackbone(LEVELS, graph.compiled({"frames": np.uint8}, outputs, np.float16))


def _block(graph: Graph, name: str, shape: BlockShape, x: str) -> str:
    """An inverted residual."""
    inner = x
    if shape.expands:
        inner = _relu6(graph, graph.conv(f"{name}._expand_conv", inner))
    inner = graph.conv(f"{name}._depthwise_conv", inner, stride=shape.stride, groups=shape.inner)
    projected = graph.conv(f"{name}._project_conv", _relu6(graph, inner))
    return graph.node("Add", projected, x) if shape.adds else projected


def _relu6(graph: Graph, x: str) -> str:
    zero, six = (graph.constant(np.float32(bound), f"bound_{bound}") for bound in (0, 6))
    return graph.node("Clip", x, zero, six)


COMPILABLE = Compilable(compiled, TENSORS, without_head)
