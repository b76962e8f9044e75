"""Every frame is on its way from the annotated frame that is nearest to it, and once."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vostool.mask_propagation.plan import SPAN_FRAMES, meetings, plan

ANNOTATED = st.sets(st.integers(0, 119), min_size=1, max_size=12)


@given(ANNOTATED)
def test_every_frame_comes_from_the_nearest_annotated_one(annotated: set[int]) -> None:
    spans = plan(annotated, 120)
    walked = [(frame, span.anchor) for span in spans for frame in span.frames]
    assert {frame for frame, _ in walked} == set(range(120))
    for frame, anchor in walked:
        assert abs(frame - anchor) == min(abs(frame - other) for other in annotated)
    twice = {frame for frame in range(120) if sum(f == frame for f, _ in walked) > 1}
    middles = {(a + b) // 2 for a, b in pairwise(sorted(annotated)) if (b - a) % 2 == 0}
    assert twice == middles == set(meetings(spans))
    assert len(walked) == 120 + len(middles)


@given(ANNOTATED)
def test_masks_walk_outwards_frame_by_frame(annotated: set[int]) -> None:
    spans = plan(annotated, 120)
    seen: set[str] = set()
    for span in spans:
        assert len(span.frames) <= SPAN_FRAMES
        before = span.before
        if before is None:
            assert span.frames == (span.anchor,)
        else:
            assert before.name in seen, "what a span begins with is made before it"
            path = [before.frames[-1], *span.frames]
            (way,) = {b - a for a, b in pairwise(path)}
            assert abs(way) == 1
            assert span.first_distance == before.first_distance + len(before.frames)
        assert span.name not in seen
        seen.add(span.name)


def test_frames_between_neighbours() -> None:
    assert [s.frames for s in plan([3, 4, 6], 8)] == [
        *((3,), (2, 1, 0)),
        (4,),
        (5,),
        *((6,), (7,), (5,)),
    ]
