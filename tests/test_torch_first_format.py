"""State dicts in torch's first format are read without torch as torch reads them, or not at all."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vostool.backbones.network import efficientnet_lite0_file
from vostool.torch_first_format import read_first_format


def saved(content: Any, file: Path, *, first: bool = True) -> Path:
    torch.save(content, file, _use_new_zipfile_serialization=not first)
    return file


def test_the_default_networks_file_is_read_as_torch_reads_it() -> None:
    file = efficientnet_lite0_file()
    expected = torch.load(file, weights_only=True)
    found = read_first_format(file)
    assert found is not None and list(found) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor.numpy(), strict=True)


def test_every_type_and_shape_and_parts_of_one_storage(tmp_path: Path) -> None:
    whole = torch.arange(24.0).view(4, 6)
    state = OrderedDict(
        a=whole, b=whole[1:3], c=torch.tensor(7), d=torch.rand(2, 1, 3).half(), e=torch.zeros(0, 3),
        f=whole.t(), g=whole[::2, 1::3], h=whole[3, 5], i=torch.rand(3, 1).expand(3, 4).double(),
    )  # fmt: skip
    found = read_first_format(saved(state, tmp_path / "w.pth"))
    assert found is not None
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.numpy(), strict=True)


class Trap:
    """Unpickling it would make a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


@pytest.mark.parametrize(
    "content",
    [
        {"w": torch.rand(2).bfloat16()},
        {"w": 5},
        {1: torch.zeros(1)},
        [torch.zeros(1)],
    ],
)
def test_what_it_does_not_know_is_left_to_torch(content: Any, tmp_path: Path) -> None:
    assert read_first_format(saved(content, tmp_path / "w.pth")) is None


def test_nothing_else_that_a_pickle_names_is_run(tmp_path: Path) -> None:
    file, sprung = tmp_path / "w.pth", tmp_path / "sprung"
    saved({"w": Trap(sprung)}, file)
    assert read_first_format(file) is None and not sprung.exists()
    file.write_bytes(pickle.dumps(Trap(sprung)))
    assert read_first_format(file) is None and not sprung.exists()


def test_a_file_that_is_cut_off_or_longer_than_it_says_gives_nothing(tmp_path: Path) -> None:
    whole = saved({"w": torch.rand(50)}, tmp_path / "w.pth").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "cut.pth").write_bytes(whole[:length])
        assert read_first_format(tmp_path / "cut.pth") is None
    saved({"w": torch.rand(50)}, tmp_path / "zip.pth", first=False)
    assert read_first_format(tmp_path / "zip.pth") is None


def test_an_array_beyond_its_storage_is_not_read(tmp_path: Path) -> None:
    """What is told is not believed: of a storage's length, nor of where in it an array lies."""
    whole = saved({"w": torch.rand(50)}, tmp_path / "w.pth").read_bytes()
    for told, instead in (
        (b"K2N", b"J\x00\x00\x00\x01N"),  # the storage's length
        (b"K\x00K2", b"K\x01K2"),  # where the array begins
        (b"K\x00K2", b"J\xff\xff\xff\xffK2"),
        (b"K2\x85", b"K3\x85"),  # its length
        (b"K\x01\x85", b"K\x02\x85"),  # from one number to the next
    ):
        forged = whole.replace(told, instead)
        assert forged != whole, told
        (tmp_path / "forged.pth").write_bytes(forged)
        assert read_first_format(tmp_path / "forged.pth") is None, instead
