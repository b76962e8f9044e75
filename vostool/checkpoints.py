"""Files of weights: reading every public format, every tensor accounted for; writing our own.

Our own are safetensors of half floats with a few facts in their metadata, such as the weights of
the network whose features a network reads. torch is imported where tensors are, and not before.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from vostool.errors import WeightsError
from vostool.files import reason, replacing
from vostool.onnx_weights import ONNX, read_onnx
from vostool.tf_checkpoint import TF_INDEX, read_tf_checkpoint
from vostool.torch_first_format import read_first_format

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor, nn

SUFFIX = ".safetensors"
TRAINED_ON = "reads"
"""The key in a file's metadata for the SHA-256 of the weights whose features a network reads."""
COUNTER = "num_batches_tracked"
"""How counters of training steps are called, which some exports leave out, and nothing reads."""
SHOWN = 4
"""Names of tensors in a message, at most."""

Rename = Callable[[str], str | None]
"""From a tensor's name in a file to the network's; None for those of layers that are left out."""
Arrange = Callable[[dict[str, "Tensor"]], dict[str, "Tensor"]]
"""From a file's tensors to those of another public layout of the same weights."""


class Shaped(Protocol):
    """A tensor, or an array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """How long each axis is."""


Values = TypeVar("Values", bound=Shaped)


@dataclass(frozen=True)
class StateDictReport(Generic[Values]):
    """A file's tensors against a network's, by the network's names.

    Attributes:
        fitting: those that fit.
        missing, unknown, misshapen: those that the file lacks, has too many, has otherwise.
        left_out: those of the file that the network has no use for, such as its classes.
    """

    fitting: dict[str, Values]
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


def same_name(name: str) -> str | None:
    """The name as it is."""
    return name


def as_they_are(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as they are."""
    return tensors


def fingerprint(file: Path) -> str:
    """The SHA-256 of a file; of a TensorFlow checkpoint's index, that of its data files too."""
    if file.suffix != TF_INDEX:
        return _sha256(file)
    parts = sorted(file.parent.glob(f"{file.stem}.data-*"))
    return together([_sha256(part) for part in (file, *parts)])


def tensors_fingerprint(tensors: dict[str, Tensor]) -> str:
    """The SHA-256 of tensors as 32-bit floats with their names, whatever file they came from."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def together(parts: Sequence[str]) -> str:
    """The SHA-256 that stands for several; of one alone, that one."""
    return parts[0] if len(parts) == 1 else hashlib.sha256("".join(parts).encode()).hexdigest()


def read_metadata(file: Path) -> dict[str, str]:
    """What a file of weights tells of itself, without reading its tensors.

    Raises:
        WeightsError: the file is not of safetensors.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            return dict(opened.metadata() or {})
    except (OSError, SafetensorError) as problem:
        raise WeightsError(f"{file}: not a file of weights ({problem})") from problem


def write_weights(file: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write weights, as half floats; the file appears in one step.

    Raises:
        WeightsError: the file cannot be written.
    """
    from safetensors.torch import save

    halved = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous().cpu()
        for name, tensor in tensors.items()
    }
    try:
        with replacing(file) as tmp:
            tmp.write_bytes(save(halved, metadata=metadata))
    except OSError as problem:
        raise WeightsError(f"{file}: cannot be written ({reason(problem)})") from problem


def load_weights(
    network: nn.Module, file: Path, rename: Rename = same_name, arrange: Arrange = as_they_are
) -> None:
    """Give a network the tensors of a file, as 32-bit floats; every one must be accounted for.

    Raises:
        WeightsError: the file cannot be read, or a tensor is missing, unknown or misshapen.
    """
    report = match_state_dict(network, arrange(read_tensors(file)), rename)
    _check(file, report, lambda tensor: bool(tensor.isfinite().all()))
    network.load_state_dict(
        {n: t.float() if t.is_floating_point() else t for n, t in report.fitting.items()},
        strict=False,
    )


def load_arrays(
    shapes: Mapping[str, tuple[int, ...]], file: Path, rename: Rename = same_name
) -> dict[str, npt.NDArray[np.float32]]:
    """As :func:`load_weights`, for a network without torch.

    Args:
        shapes: of the network's tensors, by name.
        file: of any format; torch is loaded for those that :func:`read_arrays` loads it for.
        rename: from tensors' names in the file to the network's.

    Raises:
        WeightsError: the file cannot be read, or a tensor is missing, unknown or misshapen.
    """
    import numpy as np

    report = match_shapes(shapes, read_arrays(file), rename)
    _check(file, report, lambda array: bool(np.isfinite(array).all()))
    return report.fitting


def _check(
    file: Path, report: StateDictReport[Values], is_finite: Callable[[Values], bool]
) -> None:
    """Make sure that a file is a network's, and of numbers.

    Raises:
        WeightsError: it is not.
    """
    if not report.whole:
        raise WeightsError(f"{file}: {report}; wrong network?")
    for name, values in report.fitting.items():
        if not is_finite(values):
            raise WeightsError(f"{file}: its {name} is not finite; fetch the file again")


def read_tensors(file: Path) -> dict[str, Tensor]:
    """The tensors of a torch state dict, of safetensors, of ONNX, or of a TensorFlow checkpoint.

    TensorFlow's convolutions are turned into torch's layout.

    Raises:
        WeightsError: the file is none of them, or is broken.
    """
    if file.name.endswith(TF_INDEX):
        return _tf_checkpoint(file)
    if file.suffix == ONNX:
        return _onnx(file)
    return _safetensors(file) if file.suffix == SUFFIX else _state_dict(file)


def read_arrays(file: Path) -> dict[str, npt.NDArray[np.float32]]:
    """The arrays of a file of weights, by name, as 32-bit floats.

    Those of our own files, and of state dicts in torch's first format, are read without torch.

    Raises:
        WeightsError: the file is broken.
    """
    import numpy as np

    arrays = _without_torch(file)
    if arrays is None:
        arrays = {name: tensor.float().numpy() for name, tensor in read_tensors(file).items()}
    return {name: array.astype(np.float32, copy=False) for name, array in arrays.items()}


def _without_torch(file: Path) -> dict[str, npt.NDArray[Any]] | None:
    """The arrays of a file that can be read without torch; None for any other."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(file) if file.suffix == SUFFIX else read_first_format(file)
    except KeyError:  # of safetensors: a type that numpy does not have
        return None
    except (OSError, SafetensorError) as problem:
        raise WeightsError(f"{file}: not a file of weights ({problem})") from problem


def match_state_dict(
    network: nn.Module, tensors: dict[str, Tensor], rename: Rename = same_name
) -> StateDictReport[Tensor]:
    """Hold a file's tensors against a network's."""
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    return match_shapes(shapes, tensors, rename)


def match_shapes(
    expected: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Values], rename: Rename
) -> StateDictReport[Values]:
    """Hold a file's tensors against the names and shapes of a network's."""
    found: dict[str, Values] = {}
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
    misshapen = sorted(n for n in needed & found.keys() if tuple(found[n].shape) != expected[n])
    return StateDictReport(
        fitting={name: tensor for name, tensor in found.items() if name not in misshapen},
        missing=sorted(needed - found.keys()),
        unknown=sorted(unknown),
        misshapen=misshapen,
        left_out=sorted(left_out),
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (OSError, SafetensorError) as problem:
        raise WeightsError(f"{file}: not a file of weights ({problem})") from problem


def _state_dict(file: Path) -> dict[str, Tensor]:
    import torch

    try:
        with warnings.catch_warnings():  # on the format, of no use to whoever has the file
            warnings.simplefilter("ignore")
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as problem:  # torch raises many kinds for a broken file
        # Beyond its first sentence torch gives advice, such as to load what may run any code.
        told = re.split(r"(?<=\w)\. |\n", str(problem) or type(problem).__name__)[0]
        raise WeightsError(f"{file}: not a readable state dict ({told})") from problem
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]  # as trainers wrap it, beside the optimiser's
    if not isinstance(state, dict):
        raise WeightsError(f"{file}: not a state dict, which names each tensor")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise WeightsError(f"{file}: not a state dict; its {name!r} names no tensor")
    return state


def _onnx(file: Path) -> dict[str, Tensor]:
    import torch

    return {name: torch.tensor(array) for name, array in read_onnx(file).items()}


def _tf_checkpoint(index: Path) -> dict[str, Tensor]:
    import torch

    return {
        name: _as_in_torch(name, torch.from_numpy(array))
        for name, array in read_tf_checkpoint(index).items()
    }


def _as_in_torch(name: str, tensor: Tensor) -> Tensor:
    """A convolution (h, w, in, out) as (out, in, h, w), or a depthwise (h, w, C, 1)."""
    if tensor.dim() != 4:
        return tensor
    depthwise = name.endswith("depthwise_weights")
    return tensor.permute(2, 3, 0, 1) if depthwise else tensor.permute(3, 2, 0, 1)
