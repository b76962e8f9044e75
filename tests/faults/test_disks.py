"""Disks fill, turn read-only or fail: one line says so, and nothing is lost or left behind."""

from __future__ import annotations

import errno
import random
from enum import IntFlag

import pytest

from tests.faults.commands import STEPS, Bench
from tests.faults.conftest import Prepared
from tests.faults.content import workspaces
from tests.faults.table import LOST, RIGHT, SILENT, TABLE, TOLD, UNCLEAR, check_left, is_clear
from tests.faults.zygote import Fault, Outcome


class Of(IntFlag):
    """Operations that fail, as the shim numbers them."""

    OPEN, WRITE, RENAME, SYNC, MKDIR, REMOVE = 1, 2, 4, 8, 16, 32


ONCE = Of.OPEN | Of.WRITE | Of.RENAME | Of.SYNC | Of.MKDIR
FAULTS = {
    "a full disk": Fault(error=errno.ENOSPC, mask=Of.OPEN | Of.WRITE | Of.MKDIR, sticky=True),
    "one operation without room": Fault(error=errno.ENOSPC, mask=ONCE),
    "one operation read-only": Fault(error=errno.EROFS, mask=ONCE),
    "one operation that fails": Fault(error=errno.EIO, mask=ONCE),
}
ALONE = ("extract", "adapt", "render", "refine")
"""Commands of which others in the short form do the same, and replace something besides."""
SAMPLE = 2
"""Of each fault and command in the short form."""


def judge_disk(
    bench: Bench, prepared: Prepared, failed: Outcome, again: Outcome, left: list[str]
) -> tuple[str, str]:
    """What came of a command on a bad disk, and of its rerun on a good one."""
    if failed.status == 0:
        if failed.after != prepared.new:
            return SILENT, f"well, it says; but: {failed.after}"
    elif not is_clear(failed):
        return UNCLEAR, f"status {failed.status}: {failed.err[-1800:]}"
    if problem := check_left(failed.after, prepared.old, prepared.new):
        return problem
    if left:
        return UNCLEAR, f"left behind: {left}: {failed.err}"
    if again.status or again.after != prepared.new:
        return LOST, f"the rerun: {again.err[-1800:]} {again.after}"
    return (TOLD, failed.err) if failed.status else (RIGHT, "")


def fail(bench: Bench, prepared: Prepared, what: str, count: int | None) -> None:
    """Let operations fail, one a run; fails where that was not survived."""
    fault = FAULTS[what]
    bench.restore(prepared.kept)
    candidates = bench.run(prepared.step, fault=fault, after=False).candidates
    numbers = list(range(1, candidates + 1))
    if count is not None:
        chance = random.Random(f"{prepared.step.name} {what}")
        numbers = chance.sample(numbers, min(count, candidates))
    problems = []
    for number in numbers:
        bench.restore(prepared.kept)
        bad = Fault(fail_at=number, error=fault.error, mask=fault.mask, sticky=fault.sticky)
        failed = bench.run(prepared.step, fault=bad)
        left = workspaces(bench.root)
        again = bench.run(prepared.step)
        verdict, why = judge_disk(bench, prepared, failed, again, left)
        TABLE.add(what, verdict)
        if verdict not in (RIGHT, TOLD):
            problems.append(f"at {number} of {candidates}: {verdict}: {why}")
    assert not problems, f"{len(problems)} of {len(numbers)}:\n" + "\n".join(problems)


@pytest.mark.parametrize("what", FAULTS)
@pytest.mark.parametrize("name", [step.name for step in STEPS if step.name not in ALONE])
def test_disk(bench: Bench, steps: dict[str, Prepared], name: str, what: str) -> None:
    """A sample of operations, of all commands but those that do again what others do, too."""
    fail(bench, steps[name], what, SAMPLE)


@pytest.mark.long
@pytest.mark.parametrize("what", FAULTS)
@pytest.mark.parametrize("name", [step.name for step in STEPS])
def test_every_failure(bench: Bench, steps: dict[str, Prepared], name: str, what: str) -> None:
    """All operations of all commands."""
    fail(bench, steps[name], what, None)
