"""One classifier over clips: the fit on their union, and masks of clips it never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import vostool
from tests.conftest import Once, moving_square, square_mask
from vostool import Adapter, AdapterError, OpenClip, ScribbleError, Scribbles, Stroke, UsageError
from vostool.adapter import SufficientStatistics
from vostool.pipeline.compatibility import features_for
from vostool.presets import PRESETS

SIZES = {"square": (96, 128), "tall": (128, 96), "unseen": (112, 160)}
"""Clips of several sizes, by name, (H, W)."""
FRAMES = 6
SQUARE = [
    Stroke(1, np.array([[0.2, 0.5], [0.45, 0.5]])),
    Stroke(0, np.array([[0.9, 0.1], [0.9, 0.9]])),
]
TALL = [
    Stroke(1, np.array([[0.25, 0.25], [0.25, 0.5]])),
    Stroke(0, np.array([[0.1, 0.8], [0.9, 0.8]])),
]
ROUNDS = [("square", {2: SQUARE}), ("tall", {1: TALL})]


def fill(folder: Path) -> None:
    """Three clips, and a store with all that both presets need of them."""
    for name, size in SIZES.items():
        clip = vostool.open(moving_square(folder / name, FRAMES, size), store=folder / "store")
        for preset in PRESETS:
            clip.session(preset, device="cpu")


@pytest.fixture(scope="module")
def store(once: Once) -> Path:
    """The store of :func:`fill`."""
    return once("over-clips", fill) / "store"


def overlap(mask: npt.NDArray[np.uint8], t: int) -> float:
    truth = square_mask(t, (mask.shape[0], mask.shape[1]))
    return float(((mask == 1) & truth).sum() / ((mask == 1) | truth).sum())


def union(adapter: Adapter, store: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """All samples of an adapter: features (n, C) and labels (n,), read anew clip by clip."""
    features, labels = [], []
    for clip in adapter.clips:
        reader = features_for(adapter, vostool.FeatureStore(store).clip(clip.name))
        for frame in np.unique(clip.samples.frame).tolist():
            here = clip.samples.within(frame)
            features.append(reader.pyramid.sample(reader.read_frame(frame), here.xy))
            labels.append(here.object_id)
    return np.concatenate(features).astype(np.float64), np.concatenate(labels)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_fit_over_clips_is_the_fit_on_their_union(store: Path, preset: str) -> None:
    """Eq. 3 over all samples at once, by another method: least squares on one stacked system."""
    adapter = vostool.adapt(ROUNDS, store=store, preset=preset)
    x, labels = union(adapter, store)
    assert [clip.name for clip in adapter.clips] == ["square", "tall"] and adapter.rounds == 2
    y = (labels[:, None] == np.array(adapter.object_ids)).astype(float)
    ridge = adapter.preset.ridge
    a = np.concatenate([x, ridge**0.5 * np.eye(x.shape[1])])
    b = np.concatenate([y, np.zeros((x.shape[1], y.shape[1]))])
    np.testing.assert_allclose(adapter.W, np.linalg.lstsq(a, b, rcond=None)[0], atol=1e-9)
    at_once = SufficientStatistics.of(x, labels)
    np.testing.assert_allclose(adapter.statistics.gram, at_once.gram, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(adapter.statistics.sums, at_once.sums, rtol=1e-9, atol=1e-9)


def test_the_order_of_clips_changes_nothing(store: Path) -> None:
    one, other = (vostool.adapt(rounds, store=store) for rounds in (ROUNDS, ROUNDS[::-1]))
    np.testing.assert_allclose(one.W, other.W, atol=1e-9)
    assert one.counts() == other.counts()


def test_a_clip_alone_is_the_session_on_it(store: Path) -> None:
    session = vostool.open("square", store=store).session()
    for strokes in ({2: SQUARE}, {5: SQUARE}):
        session.add_scribbles(strokes)
    rounds = [("square", {2: SQUARE}), ("square", {5: SQUARE})]
    adapter = vostool.adapt(rounds, store=store)
    np.testing.assert_array_equal(adapter.W, session.adapter.W)
    assert adapter.rounds == session.rounds == 2 and adapter.only_clip == "square"


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_masks_of_a_clip_it_never_saw(store: Path, tmp_path: Path, preset: str) -> None:
    """Of another size, with no stroke and no annotated frame: by looks alone."""
    vostool.adapt(ROUNDS, store=store, preset=preset).write(tmp_path / "a.h5")
    session = vostool.open("unseen", store=store).session(adapter=tmp_path / "a.h5")
    assert len(session.strokes) == 0 and session.rounds == 2 and session.object_ids == (1,)
    masks = dict(session.masks())
    for t, mask in masks.items():
        assert mask.shape == SIZES["unseen"] and overlap(mask, t) > 0.6, t
    np.testing.assert_array_equal(session.mask(3), masks[3])


def test_strokes_are_evidence_on_their_own_clip_alone(store: Path) -> None:
    """Frame 2 of one clip bears strokes; frame 2 of another clip bears none."""
    adapter = vostool.adapt(ROUNDS, store=store)
    for name, frames in (("square", {2}), ("tall", {1}), ("unseen", set[int]())):
        session = vostool.open(name, store=store).session(adapter=adapter)
        assert set(session.strokes.frame.tolist()) == frames
        list(session.masks())  # strokes of a larger clip would lie outside of a smaller one


def test_one_more_clip_and_on(store: Path, tmp_path: Path) -> None:
    """Strokes on a new clip correct what the adapter shows there, and the old ones stay."""
    first = vostool.adapt(ROUNDS[:1], store=store)
    second = vostool.adapt(ROUNDS[1:], store=store, adapter=first)
    assert [clip.name for clip in second.clips] == ["square", "tall"]
    x, labels = union(second, store)
    at_once = SufficientStatistics.of(x, labels)
    np.testing.assert_allclose(second.statistics.gram, at_once.gram, rtol=1e-9, atol=1e-9)
    shown = vostool.open("tall", store=store).session(adapter=first).mask(1)
    drawn = second.clips[1].samples
    random = drawn.select((drawn.object_id == 0) & (drawn.y < 90))  # beside the stroke
    assert (shown[random.y, random.x] == 0).all()
    session = vostool.open("tall", store=store).session(adapter=first)
    session.add_scribbles({1: TALL})
    np.testing.assert_array_equal(session.adapter.W, second.W)
    assert set(session.strokes.frame.tolist()) == {1}
    session.undo()
    assert session.adapter is first and len(session.strokes) == 0


def test_a_clip_without_the_object_teaches_what_it_is_not(store: Path) -> None:
    """Background alone is no round of its own, but it is one beside other clips'."""
    nothing_here = {0: [Stroke(0, np.array([[0.1, 0.8], [0.9, 0.8]]))]}
    adapter = vostool.adapt([("tall", nothing_here), *ROUNDS[:1]], store=store)
    assert adapter.object_ids == (0, 1) and adapter.counts()[1] > adapter.counts()[0]
    with pytest.raises(AdapterError, match="no object has a stroke"):
        vostool.adapt([("tall", nothing_here)], store=store)


def test_ids_mean_the_same_in_all_clips(store: Path) -> None:
    second = [Stroke(7, stroke.path) if stroke.object_id else stroke for stroke in TALL]
    adapter = vostool.adapt([ROUNDS[0], ("tall", {1: second})], store=store)
    assert adapter.object_ids == (0, 1, 7)
    session = vostool.open("unseen", store=store).session(adapter=adapter)
    assert set(np.unique(session.mask(3)).tolist()) <= {0, 1, 7}


def test_clips_of_several_networks_are_refused(store: Path, tmp_path: Path) -> None:
    """Features of another option are of another make, whatever their shape."""
    clip = moving_square(tmp_path / "other", 3)
    opened = vostool.open(clip, store=tmp_path / "store")
    opened.session("paper", features="backbone", network_height=64, device="cpu")
    square = vostool.open("square", store=store)
    rounds: list[tuple[OpenClip | str | Path, dict[int, list[Stroke]]]]
    rounds = [(square, {2: SQUARE}), (OpenClip(opened.stored), {2: SQUARE})]
    with pytest.raises(AdapterError, match="other: its features are of other networks") as told:
        vostool.adapt(rounds, preset="paper", features="backbone")
    assert "square" in str(told.value)
    adapter = vostool.adapt(rounds[:1], preset="paper", features="backbone")
    with pytest.raises(AdapterError, match="network height 480 is now 64"):
        OpenClip(opened.stored).session(adapter=adapter)


def test_strokes_of_another_sequence_are_refused(store: Path) -> None:
    swapped = Scribbles("s.json", {1: TALL}, {}, FRAMES, "tall")
    with pytest.raises(ScribbleError, match=r"s\.json: was drawn on 'tall', this clip is 'square'"):
        vostool.adapt([("square", swapped)], store=store)
    vostool.adapt([("square", swapped)], store=store, any_clip=True)


def test_no_round_at_all(store: Path) -> None:
    with pytest.raises(UsageError, match="no strokes"):
        vostool.adapt([], store=store)


def test_suggestions_name_the_clip(store: Path) -> None:
    adapter = vostool.adapt(ROUNDS[:1], store=store)
    found = vostool.suggest(adapter, list(SIZES), 4, store=store)
    assert len(found) == 4 and {one.clip for one in found} <= set(SIZES)
    assert [one.worth for one in found] == sorted((one.worth for one in found), reverse=True)
    best = {name: vostool.suggest(adapter, [name], 1, store=store)[0] for name in SIZES}
    assert found[0] == max(best.values(), key=lambda one: one.worth)
    alone = vostool.open("tall", store=store).session(adapter=adapter).suggest(3)
    assert alone == vostool.suggest(adapter, ["tall"], 3, store=store)
