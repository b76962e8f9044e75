"""Reading weights in the formats in which they are public, every tensor accounted for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vostool.backbones.tensor_bundle import INDEX, read_tensor_bundle
from vostool.errors import WeightsError
from vostool.weights import SUFFIX

Rename = Callable[[str], str | None]
"""From a tensor's name in a file to the network's; None for those of layers that are left out."""
COUNTER = "num_batches_tracked"
"""How counters of training steps are called, which some exports leave out, and nothing reads."""
SHOWN = 4


@dataclass(frozen=True)
class Account:
    """A file's tensors against a network's, by the network's names.

    Attributes:
        fitting: those that fit.
        missing, unknown, misshapen: those that the file lacks, has too many, has otherwise.
        left_out: those of the file that the network has no use for, such as its classes.
    """

    fitting: dict[str, Tensor]
    missing: list[str]
    unknown: list[str]
    misshapen: list[str]
    left_out: list[str]

    @property
    def whole(self) -> bool:
        """Whether the file is this network's."""
        return not (self.missing or self.unknown or self.misshapen)

    def __str__(self) -> str:
        parts = []
        for what in ("missing", "unknown", "misshapen"):
            if names := getattr(self, what):
                listed = ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")
                parts.append(f"{len(names)} {what} tensors ({listed})")
        return "; ".join(parts)


def keep(name: str) -> str | None:
    """The name as it is."""
    return name


def load_state(network: nn.Module, file: Path, rename: Rename = keep) -> None:
    """Give a network the tensors of a file; every one must be accounted for.

    Raises:
        WeightsError: the file cannot be read, or a tensor is missing, unknown or misshapen.
    """
    accept(network, account_for(network, read_tensors(file), rename), file)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a torch state dict, of safetensors, or of a TensorFlow checkpoint's index.

    TensorFlow's convolutions are turned into torch's layout.

    Raises:
        WeightsError: the file is none of them, or is broken.
    """
    if file.name.endswith(INDEX):
        arrays = read_tensor_bundle(file)
        return {name: _as_in_torch(name, torch.from_numpy(a)) for name, a in arrays.items()}
    if file.suffix == SUFFIX:
        return _safetensors(file)
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as problem:  # torch raises many kinds for a broken file
        reason = (str(problem) or type(problem).__name__).splitlines()[0]
        raise WeightsError(f"{file}: not a readable state dict ({reason})") from problem
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]  # as trainers wrap it, beside the optimiser's
    if not isinstance(state, dict):
        raise WeightsError(f"{file}: not a state dict, which names each tensor")
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor):
            raise WeightsError(f"{file}: not a state dict; its {name} is no tensor")
    return state


def account_for(network: nn.Module, tensors: dict[str, Tensor], rename: Rename = keep) -> Account:
    """Hold a file's tensors against a network's."""
    expected = network.state_dict()
    found: dict[str, Tensor] = {}
    unknown, left_out = [], []
    for name, tensor in tensors.items():
        ours = rename(name)
        if ours is None:
            left_out.append(name)
        elif ours not in expected or ours in found:
            unknown.append(name)
        else:
            found[ours] = tensor
    needed = {name for name in expected if not name.endswith(COUNTER)}
    misshapen = sorted(n for n in needed & found.keys() if found[n].shape != expected[n].shape)
    return Account(
        fitting={name: tensor for name, tensor in found.items() if name not in misshapen},
        missing=sorted(needed - found.keys()),
        unknown=sorted(unknown),
        misshapen=misshapen,
        left_out=sorted(left_out),
    )


def accept(network: nn.Module, account: Account, file: Path) -> None:
    """Give a network a file's tensors, as 32-bit floats.

    Raises:
        WeightsError: not every one is accounted for.
    """
    if not account.whole:
        raise WeightsError(f"{file}: {account}; wrong network?")
    network.load_state_dict(
        {n: t.float() if t.is_floating_point() else t for n, t in account.fitting.items()},
        strict=False,
    )


def _safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (OSError, SafetensorError) as problem:
        raise WeightsError(f"{file}: not a file of weights ({problem})") from problem


def _as_in_torch(name: str, tensor: Tensor) -> Tensor:
    """A convolution (h, w, in, out) as (out, in, h, w), or a depthwise (h, w, C, 1)."""
    if tensor.dim() != 4:
        return tensor
    depthwise = name.endswith("depthwise_weights")
    return tensor.permute(2, 3, 0, 1) if depthwise else tensor.permute(3, 2, 0, 1)
