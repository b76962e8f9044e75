"""A training that was interrupted ends where an unbroken one does."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vostool.errors import WeightsError
from vostool.training.trainer import CHECKPOINT, LOG, Group, Schedule, train

SCHEDULE = Schedule(iterations=12, learning_rate=0.1, every=5)


class Interrupted(Exception):
    """The run ends here."""


class Fit:
    """Fits a line to points that an iteration draws; may be interrupted."""

    def __init__(self, network: nn.Linear, stop_at: int | None = None) -> None:
        self.network, self.stop_at = network, stop_at

    def groups(self) -> list[Group]:
        weight, bias = self.network.parameters()
        return [Group([weight]), Group([bias], share=0.5)]

    def loss(self, iteration: int) -> Tensor:
        if iteration == self.stop_at:
            raise Interrupted
        rng = np.random.default_rng(iteration)
        x = torch.from_numpy(rng.random((8, 1), np.float32))
        error: Tensor = self.network(x) - 3 * x + 1
        return error.square().mean()


def run(out: Path, stop_at: int | None = None, **settings: Any) -> nn.Linear:
    torch.manual_seed(0)
    network = nn.Linear(1, 1)
    train(network, Fit(network, stop_at), SCHEDULE, out, settings, lambda *_: None)
    return network


@pytest.mark.parametrize("stop_at", [3, 5, 7, 11])
def test_an_interrupted_training_goes_on_to_the_same_result(tmp_path: Path, stop_at: int) -> None:
    unbroken = run(tmp_path / "unbroken")
    with pytest.raises(Interrupted):
        run(tmp_path / "broken", stop_at)
    resumed = run(tmp_path / "broken")

    for mine, theirs in zip(resumed.parameters(), unbroken.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    logs = []
    for folder in ("unbroken", "broken"):
        with (tmp_path / folder / LOG).open(newline="") as stream:
            logs.append([row[:2] for row in csv.reader(stream)])
    assert logs[0] == logs[1] and len(logs[0]) == 1 + SCHEDULE.iterations


def test_the_loss_falls(tmp_path: Path) -> None:
    run(tmp_path)
    with (tmp_path / LOG).open(newline="") as stream:
        losses = [float(row["loss"]) for row in csv.DictReader(stream)]
    assert losses[-1] < 0.6 * losses[0]


def test_a_finished_training_does_nothing_more(tmp_path: Path) -> None:
    run(tmp_path)
    before = (tmp_path / CHECKPOINT).stat().st_mtime_ns
    run(tmp_path, stop_at=0)
    assert (tmp_path / CHECKPOINT).stat().st_mtime_ns == before


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    run(tmp_path, frames=4)
    with pytest.raises(WeightsError, match=r"other settings \(frames\)"):
        run(tmp_path, frames=5)
    (tmp_path / CHECKPOINT).write_bytes(b"PK")
    with pytest.raises(WeightsError, match="not a whole checkpoint"):
        run(tmp_path, frames=4)


def test_the_rate_rises_and_falls_to_zero() -> None:
    rates = [Schedule(1000, learning_rate=0.1).rate(i) for i in range(1001)]
    highest = int(np.argmax(rates))
    assert 90 <= highest <= 110 and rates[highest] == pytest.approx(0.1, rel=0.05)
    assert rates[:highest] == sorted(rates[:highest]) and rates[0] < 0.002
    assert rates[highest:] == sorted(rates[highest:])[::-1] and rates[-1] == pytest.approx(0)


def test_a_group_learns_at_its_share_of_the_rate(tmp_path: Path) -> None:
    """Adam's first step is as long as its rate."""
    torch.manual_seed(0)
    network = nn.Linear(1, 1)
    weight, bias = network.weight.item(), network.bias.item()
    train(network, Fit(network), Schedule(1, learning_rate=0.1), tmp_path, {}, lambda *_: None)
    assert abs(network.weight.item() - weight) == pytest.approx(0.1, rel=1e-3)
    assert abs(network.bias.item() - bias) == pytest.approx(0.05, rel=1e-3)


def test_one_odd_shot_does_not_spoil_the_rest(tmp_path: Path) -> None:
    class Odd(Fit):
        def loss(self, iteration: int) -> Tensor:
            return super().loss(iteration) * (np.nan if iteration == 6 else 1.0)

    torch.manual_seed(0)
    network = nn.Linear(1, 1)
    train(network, Odd(network), SCHEDULE, tmp_path / "odd", {}, lambda *_: None)
    assert all(torch.isfinite(p).all() for p in network.parameters())
    with (tmp_path / "odd" / LOG).open(newline="") as stream:
        losses = [row[1] for row in csv.reader(stream)][1:]
    assert losses[6] == "nan" and len(losses) == SCHEDULE.iterations


@pytest.mark.parametrize("name", [CHECKPOINT, LOG])
def test_a_flipped_bit_is_told_or_changes_nothing(tmp_path: Path, name: str) -> None:
    """A checkpoint with another weight in it would be gone on from without a word."""
    unbroken = run(tmp_path / "unbroken")
    with pytest.raises(Interrupted):
        run(tmp_path / "broken", stop_at=7)
    file = tmp_path / "broken" / name
    whole, random = file.read_bytes(), np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] ^= 1 << random.integers(8)
        shutil.rmtree(tmp_path / "again", ignore_errors=True)
        shutil.copytree(tmp_path / "broken", tmp_path / "again")
        (tmp_path / "again" / name).write_bytes(damaged)
        if name == CHECKPOINT:
            with pytest.raises(WeightsError, match="not a whole checkpoint"):
                run(tmp_path / "again")
            continue
        resumed = run(tmp_path / "again")
        for mine, theirs in zip(resumed.parameters(), unbroken.parameters(), strict=True):
            assert torch.equal(mine, theirs)
