"""Names and shapes of the tensors of public files of weights, as lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]


def read_layout(name: str) -> Shapes:
    """A list by its file's name: a tensor's name to its shape."""
    lines = (Path(__file__).parent / f"{name}.txt").read_text().splitlines()[1:]
    pairs = (line.split() for line in lines)
    return {
        name: () if shape == "scalar" else tuple(int(side) for side in shape.split("x"))
        for name, shape in pairs
    }


def random_tensors(layout: Shapes, seed: int = 0) -> dict[str, Tensor]:
    """Tensors of these names and shapes, of a size that keeps a deep network's output finite."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in layout.items():
        if not shape:
            tensors[name] = torch.tensor(7, dtype=torch.int64)
        elif name.endswith(("var", "moving_variance", "gamma", "bn.weight")) or len(shape) == 1:
            tensors[name] = 0.5 + torch.rand(shape, generator=generator)
        else:
            inputs = int(np.prod(shape)) / max(shape)
            tensors[name] = torch.randn(shape, generator=generator) / inputs**0.5
    return tensors
