"""A made-up user marks what is to be seen, and corrects what is wrong, as a person is asked to."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import square_mask
from vostool.adapter import Samples
from vostool.training import user
from vostool.training.data import Shot
from vostool.training.user import MarkedShot, correct, mark


@pytest.fixture(autouse=True)
def everything_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user, "BYSTANDERS", 0.0)


def shot_of_two() -> Shot:
    """Two squares of other colours, that keep their places."""
    masks = np.zeros((3, 192, 256), np.uint8)
    for t in range(3):
        masks[t, 40:120, 20 + 6 * t : 100 + 6 * t], masks[t, 60:150, 140:220] = 5, 2
    colours = np.array(
        [[60, 90, 60], [0, 0, 0], [30, 30, 220], [0, 0, 0], [0, 0, 0], [220, 30, 30]]
    )
    noise = np.random.default_rng(0).integers(0, 30, (*masks.shape, 3))
    return Shot((colours[masks] + noise).astype(np.uint8), masks)


def marked(shot: Shot, seed: int = 0) -> MarkedShot:
    found = mark(shot, np.random.default_rng(seed))
    assert found is not None
    return found


def test_objects_are_numbered_in_their_order() -> None:
    shot = shot_of_two()
    found = marked(shot)
    np.testing.assert_array_equal(found.shot.masks, np.array([0, 0, 1, 0, 0, 2])[shot.masks])
    assert found.shot.images is shot.images
    assert set(found.first.strokes.object_id) == {1, 2}
    assert set(found.first.samples.object_id) == {0, 1, 2}, "with random background"
    assert set(found.first.samples.frame) == {found.first.frame}


def test_strokes_lie_on_their_objects_mostly() -> None:
    for seed in range(6):
        found = marked(shot_of_two(), seed)
        strokes = found.first.strokes
        below = found.shot.masks[strokes.frame, strokes.y, strokes.x]
        assert (below == strokes.object_id).mean() > 0.8, "but for those that slip"


def test_what_is_too_small_to_mark_is_background() -> None:
    shot = shot_of_two()
    shot.masks[0, 0:5, 0:5] = 9
    found = marked(shot)
    assert set(np.unique(found.shot.masks)) == {0, 1, 2} and not found.shot.masks[0, :5, :5].any()


def test_where_nothing_can_be_marked_there_is_no_shot() -> None:
    shot = shot_of_two()
    assert mark(Shot(shot.images, np.zeros_like(shot.masks)), np.random.default_rng(0)) is None


def test_some_objects_are_bystanders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user, "BYSTANDERS", 1.0)
    asked = set()
    for seed in range(8):
        shot = shot_of_two()
        found = marked(shot, seed)
        assert found.shot.masks.max() == 1
        (label,) = np.unique(shot.masks[found.shot.masks == 1])
        asked.add(int(label))
    assert asked == {2, 5}, "now the one, now the other"


def test_of_very_many_objects_some_are_asked_for() -> None:
    masks = np.zeros((2, 128, 256), np.uint8)
    for label in range(8):
        masks[:, 10:40, 30 * label : 30 * label + 20] = label + 1
    shot = Shot(np.zeros((*masks.shape, 3), np.uint8), masks)
    assert marked(shot).shot.masks.max() == user.MOST_OBJECTS


def test_corrections_are_where_the_mask_is_wrong() -> None:
    truth = square_mask(10).astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    predicted = np.roll(truth, 30, axis=1)
    first = correct(truth, None, 4, Samples.empty(), np.random.default_rng(0))
    second = correct(truth, predicted, 4, first.samples, np.random.default_rng(0))
    assert set(first.strokes.round) == {1} and set(second.strokes.round) == {2}
    strokes = second.strokes
    wrong = (truth != predicted)[strokes.y, strokes.x]
    assert set(strokes.object_id) == {0, 1} and wrong.mean() > 0.8
    nothing = correct(truth, truth, 4, first.samples, np.random.default_rng(0))
    assert len(nothing.strokes) == 0
