"""The power is cut at any moment of a command: a rerun makes it right, and nothing else is lost."""

from __future__ import annotations

import random

import pytest

from tests.faults.commands import STEPS, Bench
from tests.faults.conftest import Prepared
from tests.faults.disk import Disk, Tree, lay_out, tree_of
from tests.faults.recording import Kind, Operation, read_log
from tests.faults.table import LOST, RIGHT, TABLE, TOLD, judge
from tests.faults.zygote import Fault

KIND = "power cut"
SAMPLE = 8
"""States a command in the short form."""
LONG = ("refine", "segment")
"""Slow commands that the short form leaves to others: they do the same, a part or all of it."""


def record(bench: Bench, prepared: Prepared) -> tuple[Disk, list[Operation], Tree]:
    """The disk before a command, its operations, and what it has left."""
    bench.restore(prepared.kept)
    disk = Disk(bench.root)
    log = bench.place / "log"
    log.unlink(missing_ok=True)
    outcome = bench.run(prepared.step, fault=Fault(log=str(log)))
    assert outcome.status == 0 and outcome.after == prepared.new
    return disk, read_log(log), tree_of(bench.root)


def cuts(disk: Disk, operations: list[Operation], seed: int) -> list[tuple[str, Tree]]:
    """Every state that differs from those before it, with where and how the cut came."""
    chance, found, seen = random.Random(seed), [], set()
    for number, operation in enumerate(operations, 1):
        disk.apply(operation)
        for how, tree in disk.states(chance):
            known = _known(tree)
            if known not in seen:
                seen.add(known)
                found.append((f"{KIND}: {how}|after {number} {operation.kind.name}", tree))
    return found


def _known(tree: Tree) -> int:
    return hash(
        tuple(
            (name, _known(node) if isinstance(node, dict) else node)
            for name, node in sorted(tree.items())
        )
    )


def sample(states: list[tuple[str, Tree]], count: int, seed: int) -> list[tuple[str, Tree]]:
    """Some states: those that follow a rename or an fsync before the others."""
    chance = random.Random(seed)
    after = [s for s in states if s[0].endswith((Kind.RENAME.name, Kind.SYNC.name))]
    others = [s for s in states if s not in after]
    first = chance.sample(after, min(len(after), count * 2 // 3))
    return first + chance.sample(others, min(len(others), count - len(first)))


def cut_power(bench: Bench, prepared: Prepared, count: int | None) -> None:
    """Cut it at ``count`` moments, or at all; fails where that was not survived."""
    seed = [step.name for step in STEPS].index(prepared.step.name)
    disk, operations, left = record(bench, prepared)
    states = cuts(disk, operations, seed)
    assert disk.now() == left, "the shim has missed operations, or the disk is simulated wrongly"
    problems = []
    chosen = states if count is None else sample(states, count, seed)
    for where, tree in chosen:
        lay_out(tree, bench.root)
        outcome = bench.run(prepared.step, before=True)
        verdict, why = judge(outcome, prepared.old, prepared.new)
        TABLE.add(where.split("|")[0], verdict)
        if verdict not in (RIGHT, TOLD):
            problems.append(f"{where}: {verdict}: {why}")
    # The command has ended well, so what it made is on the disk whatever comes.
    _, sure = next(disk.states(random.Random(seed)))
    lay_out(sure, bench.root)
    found = bench.run().after
    if found != prepared.new:
        verdict = LOST
        problems.append(f"after the end: {found} instead of {prepared.new}")
    else:
        verdict = RIGHT
    TABLE.add(f"{KIND}: after the end", verdict)
    assert not problems, f"{len(problems)} of {len(chosen)}:\n" + "\n".join(problems)


@pytest.mark.parametrize("name", [step.name for step in STEPS if step.name not in LONG])
def test_cut(bench: Bench, steps: dict[str, Prepared], name: str) -> None:
    """A sample of moments, with a fixed seed."""
    cut_power(bench, steps[name], SAMPLE)


@pytest.mark.long
@pytest.mark.parametrize("name", [step.name for step in STEPS])
def test_every_cut(bench: Bench, steps: dict[str, Prepared], name: str) -> None:
    """All moments."""
    cut_power(bench, steps[name], None)
