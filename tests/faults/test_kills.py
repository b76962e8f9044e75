"""A command is killed at any of its operations on files: a rerun makes it right."""

from __future__ import annotations

import random
import signal

import pytest

from tests.faults.commands import STEPS, Bench
from tests.faults.conftest import Prepared
from tests.faults.table import RIGHT, TABLE, TOLD, judge
from tests.faults.zygote import Fault

SAMPLE = 4
"""Kills a command in the short form."""
LONG = ("refine",)
"""Slow commands that the short form leaves to another that does the same and more."""
ALL = 63
"""The mask of every operation."""


def kill(bench: Bench, prepared: Prepared, count: int | None) -> None:
    """Kill it at ``count`` operations, or at all; fails where that was not survived."""
    bench.restore(prepared.kept)
    operations = bench.run(prepared.step, fault=Fault(mask=ALL), after=False).operations
    numbers = list(range(1, operations + 1))
    if count is not None:
        numbers = random.Random(prepared.step.name).sample(numbers, min(count, operations))
    problems = []
    for number in numbers:
        bench.restore(prepared.kept)
        killed = bench.run(prepared.step, fault=Fault(kill_at=number), after=False)
        assert killed.status == -signal.SIGKILL or killed.status == 0  # threads vary the number
        outcome = bench.run(prepared.step, before=True)
        verdict, why = judge(outcome, prepared.old, prepared.new)
        TABLE.add("kill", verdict)
        if verdict not in (RIGHT, TOLD):
            problems.append(f"at {number} of {operations}: {verdict}: {why}")
    assert not problems, f"{len(problems)} of {len(numbers)}:\n" + "\n".join(problems)


@pytest.mark.parametrize("name", [step.name for step in STEPS if step.name not in LONG])
def test_kill(bench: Bench, steps: dict[str, Prepared], name: str) -> None:
    """A sample of operations, with a fixed seed."""
    kill(bench, steps[name], SAMPLE)


@pytest.mark.long
@pytest.mark.parametrize("name", [step.name for step in STEPS])
def test_every_kill(bench: Bench, steps: dict[str, Prepared], name: str) -> None:
    """All operations."""
    kill(bench, steps[name], None)
