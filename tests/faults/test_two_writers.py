"""Two runs meet: each ends well or with one line, and what is there is whole and one run's."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from tests.faults.commands import STEPS, Bench, Step
from tests.faults.conftest import Prepared
from tests.faults.table import LOST, RIGHT, SILENT, TABLE, TOLD, UNCLEAR, is_clear

STEP = {step.name: step for step in STEPS}
REMOVE = Step("rm", ("store", "rm", "square", "--store", "{root}/store"))
HEADSTARTS = (0.0, 0.12)
"""Seconds that one run is ahead of the other, in the short form."""


@dataclass(frozen=True)
class Meeting:
    """Two runs.

    Attributes:
        name: of their meeting.
        state: the step before which it is.
        one, other: what each does.
        ends: the steps that leave what may be there in the end.
        gone: things that may also be absent in the end.
        one_wins: one of them at least must end well.
    """

    name: str
    state: str
    one: tuple[Step, ...]
    other: tuple[Step, ...]
    ends: tuple[str, ...]
    gone: tuple[str, ...] = ()
    one_wins: bool = True


MEETINGS = (
    Meeting("extract and extract", "extract", (STEP["extract"],), (STEP["extract"],),
            ("extract",)),
    Meeting("propagate and propagate", "propagate", (STEP["propagate"],), (STEP["propagate"],),
            ("propagate",)),
    Meeting("adapt and adapt", "adapt", (STEP["adapt"],), (STEP["adapt again"],),
            ("adapt", "adapt again")),
    Meeting("render and render", "render", (STEP["render"],), (STEP["render"],), ("render",)),
    Meeting("render and render over masks", "render again", (STEP["render again"],),
            (STEP["render again"],), ("render again",)),
    Meeting("refine and refine", "refine", (STEP["refine"],), (STEP["refine"],), ("refine",)),
    Meeting("extract and rm", "extract", (STEP["extract"],), (REMOVE,), ("extract",),
            ("square/backbone",)),
    Meeting("adapt and rm and extract", "adapt", (STEP["adapt"],),
            (REMOVE, STEP["extract"], STEP["propagate"]), ("adapt",), ("square.h5",)),
    Meeting("render and rm and extract", "render", (STEP["render"],),
            (REMOVE, STEP["extract"], STEP["propagate"]), ("render",), ("masks", "look.mp4")),
)  # fmt: skip


def meet(
    bench: Bench, steps: dict[str, Prepared], meeting: Meeting, headstarts: tuple[float, ...]
) -> None:
    """Let both run; fails where they harmed each other."""
    problems = []
    for headstart in headstarts:
        bench.restore(steps[meeting.state].kept)
        one = bench.start(*meeting.one, after=False)
        time.sleep(headstart)
        other = bench.start(*meeting.other, after=False)
        outcomes = bench.wait(*one), bench.wait(*other)
        verdict, why = RIGHT if all(not o.status for o in outcomes) else TOLD, ""
        found = bench.run().after
        ends = [steps[name].new for name in meeting.ends]
        for thing in sorted({*found, *ends[0]}):
            here = found.get(thing)
            if here not in [end.get(thing) for end in ends] and not (
                here is None and thing in meeting.gone
            ):
                verdict = SILENT if thing in found else LOST
                why += f"{thing} is {here}; "
        for outcome in outcomes:
            if outcome.status and not is_clear(outcome):
                verdict, why = UNCLEAR, f"status {outcome.status}: {outcome.err[-1800:]}"
        if meeting.one_wins and all(outcome.status for outcome in outcomes):
            verdict, why = UNCLEAR, f"neither: {outcomes[0].err} {outcomes[1].err}"
        TABLE.add(f"two writers: {meeting.name}", verdict)
        if verdict not in (RIGHT, TOLD):
            errors = " ".join(outcome.err[-500:] for outcome in outcomes)
            problems.append(f"{headstart} s: {verdict}: {why} ({errors})")
    assert not problems, f"{len(problems)} of {len(headstarts)}:\n" + "\n".join(problems)


@pytest.mark.parametrize("meeting", MEETINGS, ids=lambda meeting: meeting.name)
def test_meeting(bench: Bench, steps: dict[str, Prepared], meeting: Meeting) -> None:
    """At once, and one a little ahead."""
    meet(bench, steps, meeting, HEADSTARTS)


@pytest.mark.long
@pytest.mark.parametrize("meeting", MEETINGS, ids=lambda meeting: meeting.name)
def test_many_meetings(bench: Bench, steps: dict[str, Prepared], meeting: Meeting) -> None:
    """At many distances."""
    meet(bench, steps, meeting, tuple(0.02 * n for n in range(25)))
