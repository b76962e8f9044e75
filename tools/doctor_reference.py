"""Makes ``vostool/doctor.json``: what the networks answer in 32 bits on a processor.

python tools/doctor_reference.py
"""

from __future__ import annotations

import json

import torch

from vostool.doctor import REFERENCE, ask_networks

if __name__ == "__main__":
    answers = ask_networks(torch.device("cpu"))
    rounded = {name: [float(f"{value:.5g}") for value in row] for name, row in answers.items()}
    REFERENCE.write_text(json.dumps(rounded) + "\n")
