"""From which annotated frames a frame hears, in which order, and that no step is made twice.

The propagator here is a toy: a frame's descriptor is its number, and labels go on as they began, so
that what arrives tells where it came from: class k is for the annotated frame k.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vostool.label_propagation.carrier import Labelled, View
from vostool.label_propagation.network import LabelPropagator, Seen
from vostool.label_propagation.priors import RECENT, Priors, Track

FRAMES = 12


class Toy(LabelPropagator):
    """Hands on the annotated frame's labels, and writes down whom it asked."""

    def __init__(self) -> None:
        super().__init__((1, 1))
        self.steps: list[tuple[int, list[int]]] = []

    def forward(self, view: View[Seen, Tensor], known: Sequence[Labelled[Seen, Tensor]]) -> Tensor:
        """The labels of the first of the known frames."""
        asked = [int(frame.seen.descriptor.flatten()[0]) for frame in known]
        self.steps.append((int(view.seen.descriptor.flatten()[0]), asked))
        return known[0].labels


def look(frame: int) -> View[Seen, Tensor]:
    assert 0 <= frame < FRAMES
    nothing = torch.zeros(1, 1, 1, 1)
    return View(Seen(torch.full((1, 1, 1), float(frame)), nothing), nothing[0])


class User:
    """Settles annotated frames, and writes down what had arrived there."""

    def __init__(self) -> None:
        self.heard: dict[int, Tensor | None] = {}
        self.order: list[int] = []

    def settle(self, frame: int, prior: Tensor | None) -> Tensor:
        self.heard[frame] = prior
        self.order.append(frame)
        labels = torch.zeros(FRAMES, 1, 1)
        labels[frame] = 1
        return labels


def priors(annotated: Sequence[int]) -> tuple[Priors[Seen, Tensor], Toy, User]:
    toy, user = Toy(), User()
    return Priors(toy, look, annotated, user.settle), toy, user


def told(prior: Tensor | None) -> dict[int, float]:
    """What arrived, by the annotated frame that it came from."""
    assert prior is not None
    return {int(k): float(prior[k, 0, 0]) for k in prior.flatten().nonzero()[:, 0]}


def test_without_an_annotated_frame_nothing_arrives() -> None:
    nobody, toy, user = priors([])
    assert [nobody.of(t) for t in range(FRAMES)] == [None] * FRAMES
    assert not toy.steps and not user.order


@pytest.mark.parametrize("annotated", [0, 5, FRAMES - 1])
def test_the_first_annotated_frame_hears_nothing_and_all_others_hear_it(annotated: int) -> None:
    alone, _, user = priors([annotated])
    assert alone.of(annotated) is None and not user.order, "nobody had to be asked"
    for t in range(FRAMES):
        if t != annotated:
            assert told(alone.of(t)) == {annotated: 1.0}
    assert user.order == [annotated] and user.heard[annotated] is None


@pytest.mark.parametrize("annotated", list(permutations([2, 5, 9])))
def test_annotated_frames_hear_those_before_them(annotated: tuple[int, ...]) -> None:
    """The order is that in which they were annotated, whichever frame is asked for first."""
    for first_asked in range(FRAMES):
        asked, _, user = priors(annotated)
        asked.of(first_asked)
        for t in range(FRAMES):
            asked.of(t)
        assert user.order == list(annotated)
        one, two, three = annotated
        assert user.heard[one] is None and told(user.heard[two]) == {one: 1.0}
        between = sorted(annotated)[1] == three
        nearest = min((one, two), key=lambda other: abs(other - three))
        assert set(told(user.heard[three])) == ({one, two} if between else {nearest})
        for frame in annotated:
            again, heard = asked.of(frame), user.heard[frame]
            assert (again is None) == (heard is None)
            assert again is None or heard is None or torch.equal(again, heard)


def test_a_frame_between_two_anchors_hears_both_the_nearer_more() -> None:
    both, _, _ = priors([2, 8])
    for t in range(3, 8):
        heard = told(both.of(t))
        near, far = abs(t - 2), abs(t - 8)
        assert heard == pytest.approx({2: far / (near + far), 8: near / (near + far)})
    assert told(both.of(0)) == told(both.of(1)) == {2: 1.0}
    assert told(both.of(11)) == {8: 1.0}


def test_who_is_not_sure_is_heard_less() -> None:
    toy = Toy()
    sure, unsure = torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.5])

    def settle(frame: int, prior: Tensor | None) -> Tensor:
        return (sure if frame == 2 else unsure).view(2, 1, 1)

    both = Priors(toy, look, [2, 8], settle)
    middle = both.of(5)
    assert middle is not None
    torch.testing.assert_close(middle.flatten(), (4 * sure + unsure) / 5)


def test_each_step_remembers_the_annotated_frame_and_the_last_few() -> None:
    one, toy, _ = priors([4])
    one.of(FRAMES - 1)
    one.of(0)
    steps = dict(toy.steps)
    assert steps[5] == steps[3] == [4], "at first there is no other"
    assert steps[11] == [4, *range(11 - RECENT, 11)]
    assert steps[0] == [4, 3, 2, 1]
    assert [frame for frame, _ in toy.steps] == [*range(5, FRAMES), 3, 2, 1, 0]


@settings(max_examples=60, deadline=None)
@given(
    st.permutations(range(FRAMES)).map(lambda frames: frames[:3]),
    st.lists(st.integers(0, FRAMES - 1), max_size=30),
)
def test_no_step_is_made_twice_whatever_is_asked_for_first(
    annotated: list[int], asked: list[int]
) -> None:
    lazy, toy, _ = priors(annotated)
    for t in asked:
        lazy.of(t)
    steps = [(frame, known[0]) for frame, known in toy.steps]
    assert len(steps) == len(set(steps))
    whole, _, _ = priors(annotated)
    for t in range(FRAMES):
        expected, found = whole.of(t), lazy.of(t)
        assert (expected is None) == (found is None)
        assert expected is None or found is None or torch.equal(expected, found)


def test_one_frame_is_not_the_whole_clip() -> None:
    """Asked for a frame, a track goes so far and no further."""
    one, toy, _ = priors([4])
    one.of(6)
    assert [frame for frame, _ in toy.steps] == [5, 6]
    one.of(5)
    assert len(toy.steps) == 2
    one.of(7)
    assert [frame for frame, _ in toy.steps] == [5, 6, 7]


def test_a_track_goes_its_way_alone() -> None:
    toy, labels = Toy(), torch.full((FRAMES, 1, 1), 0.25)
    back = Track(toy, look, 5, labels, -1)
    torch.testing.assert_close(back.at(3), labels)
    assert [frame for frame, _ in toy.steps] == [4, 3]
