"""Reading a network's weights, with every tensor accounted for."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from vostool.errors import WeightsError


def load_state(network: nn.Module, file: Path) -> None:
    """Load a torch state dict into a network; every tensor must be accounted for.

    Raises:
        WeightsError: the file is none, or a tensor is missing, left over or of another shape.
    """
    try:
        state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as problem:  # torch raises many kinds for a broken file
        reason = (str(problem) or type(problem).__name__).splitlines()[0]
        raise WeightsError(f"{file}: not a readable state dict ({reason})") from problem
    if not isinstance(state, dict):
        raise WeightsError(f"{file}: not a state dict, which names each tensor")
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor):
            raise WeightsError(f"{file}: not a state dict; its {name} is no tensor")
    accept_state(network, state, file)


def accept_state(network: nn.Module, state: dict[str, Tensor], file: Path) -> None:
    """Give a network the tensors of a file; every one must be accounted for.

    Raises:
        WeightsError: a tensor is missing, left over or of another shape.
    """
    expected = network.state_dict()
    # Counters of training steps, which some exports leave out; inference does not read them.
    needed = {name for name in expected if not name.endswith("num_batches_tracked")}
    missing, left_over = sorted(needed - state.keys()), sorted(state.keys() - expected.keys())
    reshaped = sorted(n for n in needed & state.keys() if state[n].shape != expected[n].shape)
    for what, names in (("missing", missing), ("unknown", left_over), ("misshapen", reshaped)):
        if names:
            listed = ", ".join(names[:4]) + (" …" if len(names) > 4 else "")
            raise WeightsError(f"{file}: {len(names)} {what} tensors ({listed}); wrong network?")
    network.load_state_dict(state, strict=False)
