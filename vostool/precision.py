"""Which arithmetic a device is quick in."""

from __future__ import annotations

import torch


def fast_dtype(device: torch.device) -> torch.dtype:
    """The quickest arithmetic that serves: bfloat16 where a CPU multiplies in it, half on a GPU."""
    if device.type != "cpu":
        return torch.float16
    onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    fast = onednn and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


def mixed_precision(device: torch.device) -> torch.autocast:
    """Convolutions and products in bfloat16 within, where the device is quick in it.

    bfloat16 on a GPU too: it has the range of 32 bits, so that gradients need no scaling.
    """
    if device.type == "cuda":
        quick = torch.cuda.is_bf16_supported()
    else:
        quick = device.type == "cpu" and fast_dtype(device) is torch.bfloat16
    return torch.autocast(device.type, torch.bfloat16, enabled=quick)
