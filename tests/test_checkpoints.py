"""Files of weights: whole or refused, half as large, every tensor accounted for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from vostool.checkpoints import load_weights, read_metadata, write_weights
from vostool.errors import WeightsError


def test_weights_come_back_with_their_metadata(tmp_path: Path) -> None:
    network, other = nn.Linear(3, 2), nn.Linear(3, 2)
    file = tmp_path / "a.safetensors"
    write_weights(file, network.state_dict(), {"reads": "abc"})
    load_weights(other, file)
    assert torch.equal(other.weight, network.weight.half().float())
    assert other.weight.dtype == torch.float32 and read_metadata(file) == {"reads": "abc"}
    assert list(tmp_path.iterdir()) == [file], "nothing else is left"


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    write_weights(file, nn.Linear(3, 2).state_dict(), {})
    with pytest.raises(WeightsError, match="1 misshapen tensors"):
        load_weights(nn.Linear(4, 2), file)
    with pytest.raises(WeightsError, match="1 unknown tensors"):
        load_weights(nn.Linear(3, 2, bias=False), file)


@pytest.mark.parametrize("length", [0, 7, 60])
def test_a_file_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    file = tmp_path / "a.safetensors"
    write_weights(file, nn.Linear(3, 2).state_dict(), {})
    file.write_bytes(file.read_bytes()[:length])
    reads: tuple[Callable[[], object], ...] = (
        lambda: read_metadata(file),
        lambda: load_weights(nn.Linear(3, 2), file),
    )
    for read in reads:
        with pytest.raises(WeightsError, match="not a file of weights"):
            read()


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be written"):
        write_weights(tmp_path / "no" / "a.safetensors", nn.Linear(1, 1).state_dict(), {})
