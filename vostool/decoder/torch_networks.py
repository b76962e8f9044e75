"""The decoder in torch: where there is a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vostool.checkpoints import load_weights
from vostool.decoder.evidence import Evidence
from vostool.decoder.network import Decoder
from vostool.decoder.networks import Inputs
from vostool.label_propagation.network import Seen, with_background
from vostool.precision import fast_dtype, mixed_precision
from vostool.pyramid import FloatArray


class TorchNetworks:
    """:class:`vostool.decoder.networks.DecoderNetworks`, on a device.

    Args:
        decoder: the network, on the device.
        mixed: whether it is in float32, as it is trained, and runs in mixed precision.
    """

    at_once = 2
    """With more, a CPU's caches overflow."""

    def __init__(self, decoder: Decoder, *, mixed: bool = True) -> None:
        self.decoder, self.carrier = decoder, decoder.propagator
        self._mixed = mixed

    @property
    def _device(self) -> torch.device:
        return self.decoder.gain.device

    def at_work(self) -> AbstractContextManager[object]:
        """Without gradients."""
        return torch.inference_mode()

    def array(self, values: FloatArray) -> Tensor:
        """On the device."""
        return torch.from_numpy(values).to(self._device)

    def numpy(self, values: Tensor) -> npt.NDArray[np.float32]:
        """And back."""
        found: npt.NDArray[np.float32] = values.cpu().numpy()
        return found

    def see(self, fine: npt.NDArray[np.float16], coarse: npt.NDArray[np.float16]) -> list[Seen]:
        """What the propagator sees of some frames."""
        return self.carrier.seen([self._level(fine), self._level(coarse)])

    def given(self, inputs: Inputs[Tensor]) -> tuple[list[Tensor], Evidence]:
        """The features (T, C, h, w) a stride, and the evidence."""
        prior = inputs.strokes.shape[1], *inputs.features[2].shape[1:3]
        none = torch.zeros(prior, device=self._device)
        evidence = Evidence(
            self.array(inputs.scores),
            torch.stack([none if prior is None else prior for prior in inputs.priors]),
            self.array(inputs.strokes),
        )
        dtype = self.decoder.gain.dtype
        levels = [self._level(level).to(dtype) for level in inputs.features]
        return levels, evidence.to(dtype)

    def decode(self, inputs: Inputs[Tensor], *, everywhere: bool) -> Tensor:
        """Logits (T, K, h, w) at the finest stride."""
        levels, evidence = self.given(inputs)
        with mixed_precision(self._device) if self._mixed else nullcontext():
            logits: Tensor = self.decoder(levels, evidence, everywhere=everywhere)
        return logits.float()

    @torch.no_grad()
    def settled(self, inputs: Inputs[Tensor], rows: FloatArray, columns: FloatArray) -> Tensor:
        """The labels (K + 1, h, w) of a frame at a coarser stride, as they are decoded."""
        logits = self.decode(inputs, everywhere=True)
        shares = with_background(logits).softmax(dim=1)[0]
        return self.array(rows) @ shares @ self.array(columns)

    def _level(self, level: npt.NDArray[np.float16]) -> Tensor:
        return torch.from_numpy(level).to(self._device).float().permute(0, 3, 1, 2)


@cache
def on_device(weights: Path, channels: Sequence[int], device: torch.device) -> TorchNetworks:
    """Those of a file of weights, in the device's quickest arithmetic; read once a process.

    Args:
        weights: the file.
        channels: of the features at each stride, finest first.
        device: where they run.

    Raises:
        WeightsError: the file is broken, or another network's.
    """
    decoder = Decoder(channels)
    load_weights(decoder, weights)
    decoder = decoder.eval().to(  # type: ignore[call-overload]
        device, fast_dtype(device), memory_format=torch.channels_last
    )
    decoder.propagator.float()  # small, and errors of rounding would be carried along
    return TorchNetworks(decoder, mixed=False)
