"""Which arithmetic a device is quick in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def fast_dtype(device: torch.device) -> torch.dtype:
    """The quickest arithmetic that serves: bfloat16 where a CPU multiplies in it, half on a GPU."""
    if device.type != "cpu":
        return torch.float16
    return torch.bfloat16 if _multiplies_bfloat16() else torch.float32


def mixed_precision(device: torch.device) -> torch.autocast:
    """Convolutions and products in bfloat16 within, where the device is quick in it.

    bfloat16 on a GPU too: it has the range of 32 bits, so that gradients need no scaling.
    """
    if device.type == "cuda":
        quick = torch.cuda.is_bf16_supported()
    else:
        quick = device.type == "cpu" and fast_dtype(device) is torch.bfloat16
    return torch.autocast(device.type, torch.bfloat16, enabled=quick)


def _multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for it; oneDNN also takes those that emulate them."""
    onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not (onednn and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return False
    capabilities: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    has = capabilities()  # of an older torch, none: what oneDNN takes is all that is known then
    if has.get("architecture") != "x86_64":
        return True
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))
