"""Jobs are of a sensible length, arrays of an allowed one, and no clip is lost or done twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vostool.batch.plan import GUESS, Pace, Work, chains, deal, group

STAGES = ("extract", "propagate", "render")
works = st.lists(st.integers(0, 2), max_size=60).map(
    lambda firsts: [Work(f"c{k}", f"c{k}.mp4", STAGES[first:]) for k, first in enumerate(firsts)]
)


def test_pace_is_seconds_a_byte_of_what_was_made() -> None:
    pace = Pace.measured([("extract", 10.0, 100), ("extract", 50.0, 300), ("propagate", 4.0, 100)])
    assert pace.of("extract", 200) == 30.0
    assert pace.of("propagate", 200) == 8.0
    assert pace.of("render", 200) == 30.0, "as the slowest"
    assert Pace.measured([]).of("extract", 200) == GUESS
    assert pace.of("extract", 0) == GUESS, "of a clip whose size is not known"


def test_groups_take_the_time_that_they_may() -> None:
    ten = [Work(f"c{k}", "", STAGES) for k in range(10)]
    sizes = {work.clip: 100 for work in ten}
    pace = Pace({"extract": 1.0, "propagate": 0.5})
    assert [len(one) for one in group(ten, sizes, pace, 300.0)] == [3, 3, 3, 1]
    assert [len(one) for one in group(ten, sizes, pace, 50.0)] == [1] * 10, "each too long"
    sizes["c4"] = 250
    assert [len(one) for one in group(ten, sizes, pace, 300.0)] == [3, 1, 1, 3, 2]


@given(works, st.floats(1, 500), st.integers(1, 7))
def test_every_stage_of_every_clip_is_in_one_job(
    every: list[Work], seconds: float, most: int
) -> None:
    sizes = {work.clip: 10 * k for k, work in enumerate(every)}
    groups = group(every, sizes, Pace({"extract": 1.0}), seconds)
    made = list(chains(groups, "n", most))
    jobs = [job for chain in made for array in chain for job in array]
    planned = [(w.clip, stage) for job in jobs for w in job.works for stage in w.stages]
    assert sorted(planned) == sorted((w.clip, stage) for w in every for stage in w.stages)
    assert len({job.key for job in jobs}) == len(jobs)
    for chain in made:
        assert all(0 < len(array) <= most for array in chain)
        for k in range(len(chain[0])):
            column = [[work.clip for work in array[k].works] for array in chain]
            assert all(clips == column[0] for clips in column), "the K-th follows the K-th"
        first = next(work for work in every if work.clip == chain[0][0].works[0].clip)
        assert [array[0].works[0].stages for array in chain] == [(s,) for s in first.stages]


@given(works, st.integers(1, 9))
def test_dealt_jobs_have_every_clip_once(every: list[Work], hands: int) -> None:
    jobs = deal(every, hands, "n")
    assert len(jobs) == min(hands, len(every))
    assert sorted(w.clip for job in jobs for w in job.works) == sorted(w.clip for w in every)
    lengths = [len(job.works) for job in jobs]
    assert not lengths or max(lengths) - min(lengths) <= 1
