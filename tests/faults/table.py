"""What came of all faults: a row a kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from tests.faults.content import REFUSED
from tests.faults.zygote import Outcome

RIGHT, TOLD, LOST, SILENT, UNCLEAR = "right", "told", "lost", "wrong without a word", "unclear"
"""What can come of a fault: the right result; one clear error line; something finished is gone; a
wrong result without a word; a traceback or another mess."""


class Table:
    """Counts what came of faults, and keeps the worst cases' words."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, kind: str, verdict: str) -> None:
        """Count a case."""
        self._counts[kind][verdict] += 1

    def markdown(self) -> str:
        """The table."""
        heads = ["fault", "tried", "survived", "right", "one error line", LOST, SILENT, UNCLEAR]
        rows = [heads, ["---"] + ["---:"] * 7]
        for kind, count in self._counts.items():
            survived = count[RIGHT] + count[TOLD]
            numbers = [count.total(), survived, *(count[v] for v in (RIGHT, TOLD, LOST))]
            rows.append([kind, *map(str, [*numbers, count[SILENT], count[UNCLEAR]])])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


TABLE = Table()


def is_clear(outcome: Outcome) -> bool:
    """Whether a command that failed said so in one line."""
    errors = [line for line in outcome.err.splitlines() if line.startswith("Error:")]
    return outcome.status == 1 and len(errors) == 1 and "Traceback" not in outcome.err


def check_left(
    left: Mapping[str, str], old: Mapping[str, str], new: Mapping[str, str]
) -> tuple[str, str] | None:
    """Whether a fault has left what was there before, or what was to be: else what it has done.

    Features are allowed to be refused or gone where they were in the making: they are made again.
    """
    for thing in sorted(old.keys() | new.keys()):
        was, shall, found = old.get(thing), new.get(thing), left.get(thing)
        if found in (was, shall):
            continue
        if was == shall:
            return LOST, f"{thing}, which this command does not make, is {found}"
        if found is not None and not found.startswith(REFUSED):
            return SILENT, f"{thing} is neither old nor new"
        if "/" not in thing:
            return LOST, f"{thing} is {found}"
    return None


def judge(outcome: Outcome, old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, str]:
    """What came of a command that was run on what a fault had left.

    Args:
        outcome: of the run; with ``before`` where what the fault left is to be looked at, too.
        old: what was there before the fault.
        new: what an undisturbed run makes of it.
    """
    if outcome.before and (problem := check_left(outcome.before, old, new)):
        return problem[0], f"before the rerun: {problem[1]}"
    if outcome.status == 0:
        for thing in sorted(old.keys() | new.keys()):
            was, shall, found = old.get(thing), new.get(thing), outcome.after.get(thing)
            if found != shall:
                return LOST if was == shall else SILENT, f"{thing} came out as {found}"
        return RIGHT, ""
    if not is_clear(outcome):
        return UNCLEAR, f"status {outcome.status}: {outcome.err}"
    if problem := check_left(outcome.after, old, new):
        return problem[0], f"after the error: {problem[1]}"
    return TOLD, outcome.err
