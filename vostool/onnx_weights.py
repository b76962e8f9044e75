"""The weights that an ONNX file carries, by the names of what was exported.

An exporter keeps the names of most tensors. Of a matrix it keeps the transpose, and of what it has
folded into a constant the value, under names of its own, such as ``onnx::MatMul_1966``; what these
are, the nodes tell that read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vostool.errors import WeightsError

ONNX = ".onnx"
"""How the files end."""
UNNAMED = "onnx::"
"""How names begin that are the exporter's own."""


def read_onnx(file: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an ONNX file; nothing of it is run.

    A layer's matrix goes by its node's name, ``layer.weight`` of ``/layer/MatMul``, and lies as in
    the layer, (outputs, inputs); any other array without a name by the whole name of its node.

    Raises:
        WeightsError: the file is broken, or the package onnx is missing.
    """
    try:
        from onnx import load_model, numpy_helper
    except ImportError as problem:
        raise WeightsError(
            f'{file}: the package onnx reads it; install it with: pip install "vostool[dinov2]"'
        ) from problem
    try:
        graph = load_model(file, load_external_data=False).graph
        arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    except Exception as problem:  # protobuf and numpy raise many kinds for a broken file
        raise WeightsError(f"{file}: not a readable ONNX file; fetch it again") from problem
    if not arrays:
        raise WeightsError(f"{file}: an ONNX file without weights")
    named = {name: array for name, array in arrays.items() if not name.startswith(UNNAMED)}
    for node in graph.node:
        layer = node.name.strip("/").split("/")
        for name in arrays.keys() & set(node.input) - named.keys():
            if node.op_type == "MatMul":
                named[".".join([*layer[:-1], "weight"])] = np.ascontiguousarray(arrays[name].T)
            else:
                named[".".join(layer)] = arrays[name]
    return named
