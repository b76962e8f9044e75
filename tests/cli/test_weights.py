"""`vostool weights` lists the networks, and accounts for every tensor of a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.backbones.layouts import random_tensors, read_layout
from tests.conftest import Vostool
from vostool.backbones import BACKBONES
from vostool.mask_propagation import RGMP

RESNET = "deeplabv2-resnet101"


@pytest.fixture(autouse=True)
def no_weights_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOSTOOL_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_list_tells_what_is_there_and_where_to_get_the_rest(vostool: Vostool) -> None:
    done = vostool("weights", "ls")
    assert done.status == 0
    lines = done.out.splitlines()
    listed = [*BACKBONES, RGMP.name]
    assert [line.split()[0] for line in lines[1:]] == listed
    missing = [line.split()[0] for line in lines[1:] if "missing" in line]
    assert [name for name in missing if name != "dinov2-small"] == [
        RESNET,
        "deeplabv3plus-xception65",
        RGMP.name,
    ]
    assert BACKBONES[RESNET].source in done.err and RGMP.source in done.err
    rows = [json.loads(line) for line in vostool("weights", "ls", "--json").out.splitlines()]
    assert [row["network"] for row in rows] == listed
    found = {row["network"]: row["file"] for row in rows}
    assert found[RESNET] is None and found["efficientnet-lite0"]


def test_a_file_is_accounted_for(vostool: Vostool, tmp_path: Path) -> None:
    tensors = random_tensors(read_layout("deeplabv2-resnet101.coco"))
    torch.save(tensors, tmp_path / "w.pth")
    done = vostool("weights", "check", "w.pth", "--network", RESNET)
    assert done.status == 0 and "whole" in done.out, done
    del tensors["layer5.block3.reduce.conv.weight"]
    torch.save({**tensors, "extra": torch.zeros(1)}, tmp_path / "w.pth")
    done = vostool("weights", "check", "w.pth", "--network", RESNET)
    assert done.status == 1
    assert done.out.splitlines()[:2] == [
        "missing layer5.block3.reduce.conv.weight",
        "unknown extra",
    ]


def test_the_propagation_networks_file_is_accounted_for(
    vostool: Vostool, square_clip: Path, tmp_path: Path
) -> None:
    torch.save(random_tensors(read_layout("rgmp-resnet50.public")), tmp_path / "w.pth")
    done = vostool("weights", "check", "w.pth", "--network", RGMP.name)
    assert done.status == 0 and "319 tensors fit" in done.out, done
    done = vostool("extract", square_clip, "--backbone", RGMP.name)
    assert done.status == 1 and "no backbone 'rgmp-resnet50'" in done.err


def test_a_file_of_no_known_network_is_wrong_usage(vostool: Vostool) -> None:
    done = vostool("weights", "check", "w.pth", "--network", "resnet50")
    assert done.status == 2 and RESNET in done.err and RGMP.name in done.err
    done = vostool("weights", "check", "none.pth", "--network", RESNET)
    assert done.status == 1 and "none.pth: no such file of weights" in done.errors[0]
