"""Makes ``vostool/doctor.json``: what the networks answer in 32 bits on a processor.

python tools/doctor_reference.py
"""

from __future__ import annotations

import json
from unittest.mock import patch

import torch

import vostool.backbones.torch_backbone
import vostool.precision
from vostool.doctor import REFERENCE, ask_networks

if __name__ == "__main__":

    def exact(device: torch.device) -> torch.dtype:
        return torch.float32

    with (
        patch.object(vostool.backbones.torch_backbone, "fast_dtype", exact),
        patch.object(vostool.precision, "fast_dtype", exact),
    ):
        answers = ask_networks(torch.device("cpu"))
    rounded = {name: [float(f"{value:.5g}") for value in row] for name, row in answers.items()}
    REFERENCE.write_text(json.dumps(rounded) + "\n")
