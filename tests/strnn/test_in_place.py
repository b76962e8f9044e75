"""The layer in place: many threads of ours give what one gives, and leave torch as it was."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from vostool.strnn.in_place import InPlaceLayer
from vostool.strnn.model import RNNConfig, SpatioTemporalRNN

PROGRAM = """
import torch
from vostool.strnn.model import *
generator = torch.Generator().manual_seed(0)
rnn = SpatioTemporalRNN(RNNConfig(5, 6, 7), generator)
torch.set_num_threads(3)
with torch.inference_mode():
    state = None
    for frames in (8, 8, 3):
        y, state = rnn(torch.randn(frames, 9, 13, 5, generator=generator), state)
        print(hash(y.numpy().tobytes()), hash(state.numpy().tobytes()), torch.get_num_threads())
"""


def test_many_threads_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit, and torch may take as many threads afterwards as before."""
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    answers = set()
    for count in ("1", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", count)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
        )
        assert all(line.endswith(" 3") for line in done.stdout.splitlines())
        answers.add(done.stdout)
    assert len(answers) == 1


def test_an_error_in_a_thread_is_told_and_leaves_torch_as_it_was() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        rnn = SpatioTemporalRNN(RNNConfig(2, 3, 4))
        layer = InPlaceLayer(torch.zeros(1), 2, 3, 4, 3)
        with pytest.raises(RuntimeError):
            layer.enter(torch.zeros(2, 3, 4, 5), rnn.U.detach(), rnn.b.detach(), None)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
