"""Networks without torch: graphs in ONNX, run by ONNX Runtime.

On a CPU it is as quick as torch or quicker, has nothing to prepare for each size that it meets, and
loads in a tenth of the time. A graph is written down here, of tensors as torch keeps them, in a few
milliseconds; nothing is kept on the disk.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

Array = npt.NDArray[Any]
Weights = Mapping[str, npt.NDArray[np.float32]]
"""Arrays by the names that they have in torch's network."""

Item = TypeVar("Item")
Result = TypeVar("Result")

_here = threading.local()

OPSET, IR_VERSION = 17, 8
"""Of what is written; any ONNX Runtime since 2022 reads it."""


class Graph:
    """A graph in the making. What a method gives is the name of a tensor, for others to read.

    Args:
        weights: of the layers.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """What an operator of ONNX makes of some tensors."""
        from onnx.helper import make_node

        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value: npt.ArrayLike, name: str | None = None) -> str:
        """A tensor that is always the same."""
        from onnx.numpy_helper import from_array

        name = name or f"constant_{len(self._constants)}"
        if name not in self._constants:
            self._constants[name] = from_array(np.ascontiguousarray(value), name)
        return name

    def weight(self, name: str) -> str:
        """A tensor of the weights."""
        return self.constant(self._weights[name], name)

    def conv(
        self, layer: str, x: str, *, gain: float = 1.0, stride: int = 1, groups: int = 1
    ) -> str:
        """A convolution of an input times a gain; but for its stride it keeps the size."""
        weight = self._weights[f"{layer}.weight"]
        inputs = [x, self.constant(weight * np.float32(gain), f"{layer}.weight")]
        if f"{layer}.bias" in self._weights:
            inputs.append(self.weight(f"{layer}.bias"))
        pads, strides = [weight.shape[-1] // 2] * 4, [stride] * 2
        return self.node("Conv", *inputs, pads=pads, strides=strides, group=groups)

    def summed(self, layer: str, x: str) -> str:
        """As :meth:`conv`, of one output: each channel by itself, and then all together.

        ONNX Runtime computes outputs by sixteen, so that one alone costs what sixteen do; a channel
        by itself is no such sum.
        """
        weight = self._weights[f"{layer}.weight"]
        channels = weight.shape[1]
        alone = self.constant(weight.swapaxes(0, 1), f"{layer}.alone")
        x = self.node("Conv", x, alone, group=channels, pads=[weight.shape[-1] // 2] * 4)
        ones = self.constant(np.ones((1, channels, 1, 1), np.float32))
        return self.node("Conv", x, ones, self.weight(f"{layer}.bias"))

    def residual(self, layer: str, x: str) -> str:
        """A :class:`vostool.layers.Residual`."""
        inner = self.node("Relu", self.conv(f"{layer}.first", self.node("Relu", x)))
        return self.node("Add", x, self.conv(f"{layer}.second", inner))

    def doubled(self, x: str, like: str) -> str:
        """As :func:`vostool.layers.doubled`, to the size of another tensor."""
        larger = self.node(
            "Resize", x, "", self.constant(np.array([1, 1, 2, 2], np.float32)),
            mode="linear", coordinate_transformation_mode="asymmetric",
        )  # fmt: skip
        none, axes = self.constant(np.array([0, 0])), self.constant(np.array([2, 3]))
        return self.node("Slice", larger, none, self.node("Shape", like, start=2), axes)

    def halved(self, x: str) -> str:
        """As :func:`vostool.layers.halved`."""
        return self.node("AveragePool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)

    def concat(self, *parts: str) -> str:
        """Tensors behind each other, along their channels."""
        return self.node("Concat", *parts, axis=1)

    def read(self, layer: str, x: str, *, gain: float = 1.0) -> str:
        """What a convolution of single vertices makes of a level of features as it is stored.

        The level is (T, h, w, C) float16, the result (T, N, h, w) float32: a product where the
        features lie, for the result has fewer channels to put in front.
        """
        product = self.node("MatMul", self.in_float32(x), self.matrix(layer, gain=gain))
        return self.channels_first(self.node("Add", product, self.weight(f"{layer}.bias")))

    def matrix(self, *layers: str, gain: float = 1.0) -> str:
        """The weights of convolutions of single vertices, (C, N), of inputs times a gain."""
        every = [self._weights[f"{layer}.weight"][:, :, 0, 0] for layer in layers]
        return self.constant(np.concatenate(every).T * np.float32(gain))

    def channels_first(self, x: str) -> str:
        """(T, C, h, w), of (T, h, w, C)."""
        return self.node("Transpose", x, perm=[0, 3, 1, 2])

    def part(self, x: str, start: str, stop: str, axis: int) -> str:
        """From one index to before another along an axis."""
        return self.node("Slice", x, start, stop, self.constant(np.array([axis])))

    def in_float32(self, x: str) -> str:
        """What is in another type elsewhere."""
        from onnx import TensorProto

        return self.node("Cast", x, to=TensorProto.FLOAT)

    def in_float16(self, x: str) -> str:
        """What is to be stored."""
        from onnx import TensorProto

        return self.node("Cast", x, to=TensorProto.FLOAT16)

    def compiled(
        self,
        inputs: Mapping[str, npt.DTypeLike],
        outputs: Sequence[str],
        kind: npt.DTypeLike = np.float32,
        *,
        rank: int = 4,
    ) -> Compiled:
        """The graph, ready to run.

        Args:
            inputs: the type of each tensor that is given, by its name.
            outputs: the tensors that are asked for.
            kind: the type of these.
            rank: how many axes each has, but for those of int64, which tell places and have one.
        """
        from onnx.helper import (
            make_graph,
            make_model,
            make_opsetid,
            make_tensor_value_info,
            np_dtype_to_tensor_dtype,
        )

        def told(name: str, kind: npt.DTypeLike) -> Any:
            axes = 1 if np.dtype(kind) == np.int64 else rank
            return make_tensor_value_info(
                name, np_dtype_to_tensor_dtype(np.dtype(kind)), [None] * axes
            )

        graph = make_graph(
            self._nodes, "graph",
            [told(name, kind) for name, kind in inputs.items()],
            [told(name, kind) for name in outputs],
            list(self._constants.values()),
        )  # fmt: skip
        opset = [make_opsetid("", OPSET)]
        model = make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
        return Compiled(model.SerializeToString(), outputs)


class Compiled:
    """A graph that runs.

    Args:
        model: the graph, as an ONNX file holds it.
        outputs: the tensors that are asked for.
    """

    def __init__(self, model: bytes, outputs: Sequence[str]) -> None:
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = 1  # a network for each thread, and not threads for each
        self._session = InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._outputs = list(outputs)

    def __call__(self, **inputs: Array) -> list[Array]:
        """The tensors that are asked for, of those that are given."""
        found: list[Array] = self._session.run(self._outputs, inputs)
        return found


def each(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """What some work makes of each item, in as many threads as there are cores.

    Several networks at work do not wait for each other, as the threads of one would at each layer.
    """
    pool = _pool()
    if pool is None or len(items) < 2 or getattr(_here, "busy", False):
        return [work(item) for item in items]
    return list(pool.map(work, items))


@cache
def _pool() -> ThreadPoolExecutor | None:
    """The threads, of which each works alone."""
    count = threads()
    return ThreadPoolExecutor(count, initializer=_set_busy) if count > 1 else None


def _set_busy() -> None:
    _here.busy = True


def threads() -> int:
    """How many threads networks take: ``OMP_NUM_THREADS``, as torch does, or one a core."""
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return int(told) if told.isdigit() and int(told) > 0 else cores or 1
