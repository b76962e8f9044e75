"""How masks travel: from where, through what, and what is not done again.

The propagator here is a toy: frames are one row of pixels, its objects move one pixel a frame, and
it carries a mask by moving it, so that every mask tells which way it came.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vostool.adapter import Samples
from vostool.mask_propagation.cache import FolderCache, MemoryCache, SpanCache
from vostool.mask_propagation.plan import SPAN_FRAMES
from vostool.mask_propagation.propagate import MaskPropagation, Observation
from vostool.masks import Mask, argmax_mask
from vostool.scribbles import StrokeMap

SIZE = (4, 60)
FRAMES = 40


class Mover:
    """Carries a mask by moving it one pixel a frame, and counts what it is asked.

    Args:
        classifier: (T, K, H, W) logits.
    """

    def __init__(self, classifier: Tensor) -> None:
        self.classifier = classifier
        self.seen: list[int] = []
        self.begun: list[int] = []
        self.stepped: list[int] = []
        self.at_once = 0

    def observations(self, start: int, stop: int) -> list[Observation]:
        self.at_once = max(self.at_once, stop - start)
        self.seen += range(start, stop)
        return [Observation(self.classifier[t], t) for t in range(start, stop)]

    def begin(self, observation: Observation, marks: StrokeMap) -> Tensor:
        self.begun.append(observation.content)
        logits = observation.classifier.clone()
        for k in range(len(logits)):
            logits[k][torch.from_numpy(marks == k + 1)] = 8.0
        return logits

    def remember(self, observation: Observation, mask: Tensor, marks: StrokeMap) -> Any:
        return observation.content

    def step(self, observation: Observation, mask: Tensor, memory: Any) -> Tensor:
        self.stepped.append(observation.content)
        way = 1 if observation.content > memory else -1
        return torch.logit(mask.roll(way, dims=-1), eps=1e-3)

    def labels(self, logits: Tensor) -> Mask:
        return argmax_mask(logits.numpy(), range(1, len(logits) + 1))


def classifier(objects: int = 1) -> Tensor:
    """Blocks that move one pixel a frame; the first has lost its left half."""
    logits = torch.full((FRAMES, objects, *SIZE), -4.0)
    for t in range(FRAMES):
        logits[t, 0, :, t + 5 : t + 10] = 4.0
        for k in range(1, objects):
            logits[t, k, k, t + 12 : t + 16] = 4.0
    return logits


def strokes(*annotated: int) -> Samples:
    """The left part of the first object, marked in some frames."""
    parts = []
    for frame in annotated:
        y, x = np.mgrid[0 : SIZE[0], frame + 3 : frame + 5]
        n = y.size
        one = np.ones(n, np.int64)
        parts.append(Samples(one * frame, x.ravel(), y.ravel(), one, one))
    return Samples.concat(parts)


def travelled(
    mover: Mover, marked: Samples, cache: SpanCache | None = None, source: str = "first"
) -> tuple[list[Mask], int]:
    propagation = MaskPropagation(mover, marked, SIZE, FRAMES, cache or MemoryCache(), source)
    told: list[tuple[int, int]] = []
    computed = propagation.run(lambda *progress: told.append(progress))
    assert told[-1][0] == told[-1][1] and [done for done, _ in told] == sorted(
        done for done, _ in told
    )
    masks = list(propagation.masks())
    assert [frame for frame, _ in masks] == list(range(FRAMES))
    return [mask for _, mask in masks], computed


def test_what_was_marked_travels_both_ways() -> None:
    mover = Mover(classifier())
    masks, computed = travelled(mover, strokes(12))
    assert computed == FRAMES and mover.begun == [12]
    for t in (10, 12, 14):
        assert masks[t][0, t + 3 : t + 10].all(), "the marked half came along"
        assert masks[t].sum() == 4 * 7
    for t in (2, 30):
        assert masks[t].sum() == 4 * 5, "and was given up, for the classifier never agreed"
    assert mover.stepped == [*range(13, FRAMES), *range(11, -1, -1)]
    assert mover.at_once <= SPAN_FRAMES, "what is in memory does not grow with the clip"


def test_each_frame_is_reached_from_the_nearest() -> None:
    mover = Mover(classifier())
    travelled(mover, strokes(4, 11, 30))
    assert mover.stepped == [
        *(5, 6, 7),
        *(3, 2, 1, 0),
        *range(12, 21),
        *(10, 9, 8),
        *range(31, FRAMES),
        *range(29, 20, -1),
    ]


def test_where_two_meet_they_are_averaged() -> None:
    base = classifier()
    mover = Mover(base)
    masks, _ = travelled(mover, strokes(10, 20))
    assert mover.stepped.count(15) == 2 and masks[15].any()
    lonely = Mover(base)
    one_sided, _ = travelled(lonely, strokes(10))
    np.testing.assert_array_equal(masks[15], one_sided[15])


def test_many_objects_travel_together() -> None:
    masks, _ = travelled(Mover(classifier(objects=3)), strokes(12))
    for t in (10, 15):
        assert set(np.unique(masks[t])) == {0, 1, 2, 3}
        assert (masks[t][1, t + 12 : t + 16] == 2).all()
        assert (masks[t][2, t + 12 : t + 16] == 3).all()


def test_an_object_that_leaves_and_comes_back() -> None:
    """Nothing travels while it is away; the classifier's answer takes over when it is there."""
    base = classifier()
    base[16:24] = -4.0
    masks, _ = travelled(Mover(base), strokes(12))
    assert masks[15].any()
    assert not any(mask.any() for mask in masks[18:24])
    for t in range(26, 36):
        assert masks[t][0, t + 5 : t + 10].all(), "it is back"


@pytest.mark.parametrize("level", [-4.0, 4.0])
def test_masks_that_are_empty_or_fill_the_frame(level: float) -> None:
    base = torch.full((FRAMES, 1, *SIZE), level)
    masks, _ = travelled(Mover(base), strokes(12))
    for t in (0, 30, FRAMES - 1):
        assert masks[t].all() if level > 0 else not masks[t].any()


def test_nothing_is_done_again_where_nothing_changed(tmp_path: Path) -> None:
    for cache in (MemoryCache(), FolderCache(tmp_path / "kept", "this")):
        first, _ = travelled(Mover(classifier()), strokes(4, 30), cache)
        again = Mover(classifier())
        second, computed = travelled(again, strokes(4, 30), cache)
        assert computed == 0 and not again.stepped and not again.begun
        np.testing.assert_array_equal(first, second)
        assert not again.seen, "and nobody looks at a frame"
        other = Mover(classifier())
        assert travelled(other, strokes(4, 30), cache, "second")[1] == 0
        assert set(other.seen) == set(range(FRAMES)), "another classifier may have changed its mind"
        assert not other.stepped
        after = Mover(classifier())
        travelled(after, strokes(4, 30), cache, "second")
        assert not after.seen


def test_a_stroke_far_away_leaves_frames_alone() -> None:
    """A third frame is marked: the second's frames on the far side are kept, its near ones not."""
    cache = MemoryCache()
    travelled(Mover(classifier()), strokes(4, 20), cache)
    mover = Mover(classifier())
    masks, computed = travelled(mover, strokes(4, 20, 36), cache)
    assert mover.begun == [36]
    assert set(mover.stepped) <= set(range(21, FRAMES)), "nothing before the second frame"
    assert computed < FRAMES - 20 + 2
    fresh, _ = travelled(Mover(classifier()), strokes(4, 20, 36))
    np.testing.assert_array_equal(masks, fresh)


def test_frames_whose_classifier_changed_are_made_again() -> None:
    cache = MemoryCache()
    travelled(Mover(classifier()), strokes(4, 30), cache)
    changed = classifier()
    changed[1] = -4.0  # in the first way back
    mover = Mover(changed)
    travelled(mover, strokes(4, 30), cache, "second")
    assert set(mover.stepped) == {0, 1, 2, 3}


def test_a_hair_of_a_difference_is_none() -> None:
    cache = MemoryCache()
    travelled(Mover(classifier()), strokes(4), cache)
    mover = Mover(classifier() * 1.01)
    assert travelled(mover, strokes(4), cache, "second")[1] == 0


def test_more_strokes_on_a_frame_begin_there_again() -> None:
    cache = MemoryCache()
    travelled(Mover(classifier()), strokes(4, 30), cache)
    more = strokes(4, 30)
    extra = Samples(*(np.array([value]) for value in (30, 50, 0, 0, 2)))
    mover = Mover(classifier())
    travelled(mover, Samples.concat([more, extra]), cache)
    assert mover.begun == [30]
    assert set(mover.stepped) <= set(range(17, FRAMES))


def test_a_stopped_run_goes_on_to_the_same_masks(tmp_path: Path) -> None:
    whole, _ = travelled(Mover(classifier()), strokes(4, 30))

    class Stops(Mover):
        def step(self, observation: Observation, mask: Tensor, memory: Any) -> Tensor:
            if len(self.stepped) == 25:
                raise KeyboardInterrupt
            return super().step(observation, mask, memory)

    with pytest.raises(KeyboardInterrupt):
        travelled(Stops(classifier()), strokes(4, 30), FolderCache(tmp_path / "kept", "this"))
    mover = Mover(classifier())
    masks, computed = travelled(mover, strokes(4, 30), FolderCache(tmp_path / "kept", "this"))
    assert 0 < computed < FRAMES and len(mover.stepped) < FRAMES - 10
    np.testing.assert_array_equal(masks, whole)


def test_a_damaged_record_is_made_again(tmp_path: Path) -> None:
    cache = FolderCache(tmp_path / "kept", "this")
    whole, _ = travelled(Mover(classifier()), strokes(4), cache)
    for number, file in enumerate(sorted((tmp_path / "kept").glob("*.npz"))):
        content = file.read_bytes()
        file.write_bytes((content[:50], content[:-30], b"")[number % 3])
    masks, computed = travelled(Mover(classifier()), strokes(4), cache)
    assert computed == FRAMES
    np.testing.assert_array_equal(masks, whole)


def test_another_clips_records_are_let_go_of(tmp_path: Path) -> None:
    travelled(Mover(classifier()), strokes(4), FolderCache(tmp_path / "kept", "this"))
    other = FolderCache(tmp_path / "kept", "that")
    assert other.find("000004-000004") is None
    assert not list((tmp_path / "kept").glob("*.npz"))


def test_records_of_ways_that_are_no_more_are_let_go_of(tmp_path: Path) -> None:
    cache = FolderCache(tmp_path / "kept", "this")
    travelled(Mover(classifier()), strokes(4, 30), cache)
    travelled(Mover(classifier()), strokes(4), cache)
    assert {file.stem[:6] for file in (tmp_path / "kept").glob("*.npz")} == {"000004"}
