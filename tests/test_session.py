"""The one loop: strokes in, masks out, again; what it remembers, and what it refuses."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

import vostool
from tests.conftest import moving_square, square_mask
from vostool import AdapterError, ClipError, ScribbleError, Session, Stroke, UsageError
from vostool.errors import MissingStageError
from vostool.label_propagation.compiled import CompiledPropagator
from vostool.opening import OpenClip, Settings
from vostool.presets import PRESETS
from vostool.writers.png import mask_file

FRAMES = 12


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """The square's frames, and a store with all that both presets need."""
    folder = tmp_path_factory.mktemp("session")
    clip = moving_square(folder / "square", FRAMES)
    for preset in PRESETS:
        vostool.open(clip, store=folder / "store").session(preset)
    yield clip, folder / "store"
    shutil.rmtree(folder)


@pytest.fixture
def clip(prepared: tuple[Path, Path]) -> OpenClip:
    """The square, opened by its name in the store."""
    return vostool.open("square", store=prepared[1])


STROKES = {
    2: [
        Stroke(1, np.array([[0.2, 0.5], [0.45, 0.5]])),
        Stroke(1, np.array([[0.3, 0.3], [0.3, 0.7]])),
        Stroke(0, np.array([[0.8, 0.1], [0.8, 0.9]])),
    ]
}
LATER = {9: [Stroke(1, np.array([[0.45, 0.5], [0.7, 0.5]])), Stroke(0, np.array([[0.1, 0.1]]))]}


def overlap(mask: npt.NDArray[np.uint8], t: int) -> float:
    truth = square_mask(t)
    return float(((mask == 1) & truth).sum() / ((mask == 1) | truth).sum())


def every(session: Session) -> npt.NDArray[np.uint8]:
    return np.stack([mask for _, mask in session.masks()])


def test_masks_come_outwards_from_the_frame_that_is_looked_at(clip: OpenClip) -> None:
    """The same masks as in the clip's order; and who stops asking has what came until then."""
    session = clip.session()
    session.add_scribbles(STROKES)
    outwards = list(session.masks(first=9))
    assert [frame for frame, _ in outwards] == [9, 10, 8, 11, 7, 6, 5, 4, 3, 2, 1, 0]
    in_order = every(session)
    for frame, mask in outwards:
        assert np.array_equal(mask, in_order[frame])
    assert next(session.masks(first=3))[0] == 3
    with pytest.raises(ClipError, match="no frame 12"):
        session.masks(first=FRAMES)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_strokes_give_masks_of_every_frame(clip: OpenClip, preset: str) -> None:
    session = clip.session(preset)
    session.add_scribbles(STROKES)
    numbers = []
    for t, mask in session.masks():
        numbers.append(t)
        assert mask.dtype == np.uint8 and mask.shape == session.size == (96, 128)
        assert overlap(mask, t) > 0.6, t
    assert numbers == list(range(session.frames)) == list(range(FRAMES))
    assert session.object_ids == (1,) and session.rounds == 1


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_frame_alone_is_the_frame_among_all(clip: OpenClip, preset: str) -> None:
    session = clip.session(preset)
    session.add_scribbles(STROKES)
    for t, mask in session.masks():
        np.testing.assert_array_equal(session.mask(t), mask)


LONG = 21
"""Frames of a clip that ends in the midst of a chunk."""


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> OpenClip:
    """The square on a wider way, over several chunks of the store."""
    folder = tmp_path_factory.mktemp("long")
    frames = moving_square(folder / "square", LONG, (96, 192))
    for preset in PRESETS:
        vostool.open(frames, store=folder / "store").session(preset)
    return vostool.open("square", store=folder / "store")


BOTH_ENDS = {
    15: [
        Stroke(1, np.array([[0.45, 0.5], [0.6, 0.5]])),
        Stroke(0, np.array([[0.1, 0.2], [0.1, 0.8]])),
    ]
}


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_frames_asked_for_in_any_order_are_those_among_all(
    long_clip: OpenClip, preset: str, tmp_path: Path
) -> None:
    """Over the boundaries of the store's chunks, with annotated frames on both sides."""
    session = long_clip.session(preset)
    for scribbles in (STROKES, BOTH_ENDS):
        session.add_scribbles(scribbles)
    session.adapter.write(tmp_path / "a.h5")
    together = every(session)
    order = np.random.default_rng(0).permutation(LONG).tolist()
    for later in (long_clip.session(adapter=tmp_path / "a.h5") for _ in "12"):
        for t in order:
            np.testing.assert_array_equal(later.mask(t), together[t], err_msg=f"frame {t}")
        order.reverse()
    np.testing.assert_array_equal(every(long_clip.session(adapter=tmp_path / "a.h5")), together)


def test_masks_of_the_clips_other_frames_follow_a_stroke(long_clip: OpenClip) -> None:
    """A correction of one frame is for its neighbours, too, by what is carried there."""
    session = long_clip.session()
    session.add_scribbles(STROKES)
    before = every(session)
    session.add_scribbles(BOTH_ENDS)
    after = every(session)
    assert (after[14] != before[14]).any() and (after[16] != before[16]).any()


def test_undo_takes_the_last_round_back_exactly(clip: OpenClip) -> None:
    session = clip.session()
    session.add_scribbles(STROKES)
    before, W = every(session), session.adapter.W
    session.add_scribbles(LATER)
    assert session.rounds == 2 and not np.array_equal(session.adapter.W, W)
    session.undo()
    assert session.rounds == 1
    np.testing.assert_array_equal(session.adapter.W, W)
    np.testing.assert_array_equal(every(session), before)
    session.undo()
    assert session.rounds == 0 and session.object_ids == ()
    with pytest.raises(UsageError, match="no round to undo"):
        session.undo()


def test_what_an_undone_round_corrects_is_not_carried_again(
    clip: OpenClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stroke that is drawn once more asks at once for the masks that it corrects."""
    session = clip.session()
    session.add_scribbles(STROKES)
    before = every(session)
    session.add_scribbles(LATER)
    session.undo()
    carried: list[object] = []
    carry = CompiledPropagator.__call__

    def counted(self: CompiledPropagator, *given: Any) -> Any:
        carried.append(self)
        return carry(self, *given)

    monkeypatch.setattr(CompiledPropagator, "__call__", counted)
    np.testing.assert_array_equal(session.mask(9), before[9])
    assert not carried
    session.add_scribbles(LATER)
    session.mask(11)
    assert carried, "and after the round labels come another way"


def test_a_round_after_an_undo_is_as_if_there_had_been_no_other(clip: OpenClip) -> None:
    straight, detour = clip.session(), clip.session()
    straight.add_scribbles(STROKES)
    detour.add_scribbles(LATER)
    detour.undo()
    detour.add_scribbles(STROKES)
    np.testing.assert_array_equal(straight.adapter.W, detour.adapter.W)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_an_adapter_goes_on_where_the_session_stopped(
    clip: OpenClip, tmp_path: Path, preset: str
) -> None:
    session = clip.session(preset, seed=3)
    session.add_scribbles(STROKES)
    session.adapter.write(tmp_path / "a.h5")
    later = clip.session(adapter=tmp_path / "a.h5")
    np.testing.assert_array_equal(every(later), every(session))
    for one in (session, later):
        one.add_scribbles(LATER)
    np.testing.assert_array_equal(session.adapter.W, later.adapter.W)
    assert later.adapter.provenance.seed == 3 and later.rounds == 2
    later.undo()
    assert later.rounds == 1
    with pytest.raises(UsageError, match="since this session began"):
        later.undo()


def test_scribbles_come_in_four_forms(
    clip: OpenClip, square_scribbles: Path, tmp_path: Path
) -> None:
    drawn = vostool.Scribbles.from_strokes(STROKES).stroke_map(2, (96, 128))
    painted = np.where(drawn == 1, 1, np.where(drawn == 0, 255, 0)).astype(np.uint8)
    cv2.imwrite(str(mask_file(tmp_path, 2)), painted)
    (tmp_path / "painted").mkdir()
    mask_file(tmp_path, 2).rename(mask_file(tmp_path / "painted", 2))
    found = []
    for given in (square_scribbles, tmp_path / "painted", {2: painted}, STROKES):
        session = clip.session("paper")
        session.add_scribbles(given)
        found.append(session.adapter.W)
    for W in found[1:]:
        np.testing.assert_array_equal(W, found[0])


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({2: [Stroke(1, np.array([[0.2, np.nan]]))]}, "not in 0..1"),
        ({2: [Stroke(70_000, np.array([[0.2, 0.2]]))]}, "object id 70000"),
        ({2: [Stroke(1, np.zeros((0, 2)))]}, "points"),
        ({-1: [Stroke(1, np.array([[0.2, 0.2]]))]}, "count from 0"),
        ({2: np.full((96, 128), 300)}, "0..255"),
        ({2: np.zeros((96, 128))}, "whole numbers"),
        ({2: np.zeros((96, 128), np.uint8)}, "no stroke at all"),
        ({}, "no stroke at all"),
        ({99: [Stroke(1, np.array([[0.2, 0.2]]))]}, "12"),
        ({2: np.ones((5, 5), np.uint8)}, "5x5"),
        ({1: np.ones((96, 128), np.uint8), **STROKES}, "arrays for all"),
    ],
)
def test_scribbles_that_cannot_be_meant_change_nothing(
    clip: OpenClip, given: dict[int, list[Stroke]], word: str
) -> None:
    session = clip.session("paper")
    session.add_scribbles(STROKES)
    W = session.adapter.W
    with pytest.raises(ScribbleError, match=word):
        session.add_scribbles(given)
    assert session.adapter.W is W and session.rounds == 1


def test_background_alone_is_refused_and_nothing_is_learnt(clip: OpenClip) -> None:
    session = clip.session()
    with pytest.raises(AdapterError, match="no object has a stroke"):
        session.add_scribbles({2: [Stroke(0, np.array([[0.8, 0.1]]))]})
    assert session.rounds == 0
    for ask in (lambda: session.mask(0), lambda: list(session.masks()), lambda: session.adapter):
        with pytest.raises(UsageError, match="no round of scribbles yet"):
            ask()


def test_a_frame_that_is_not_there(clip: OpenClip) -> None:
    session = clip.session()
    session.add_scribbles(STROKES)
    for frame in (-1, FRAMES):
        with pytest.raises(ClipError, match="frames 0 to 11"):
            session.mask(frame)


def test_previous_masks_are_what_strokes_correct(clip: OpenClip) -> None:
    """Random background is drawn where the last masks had background, whoever made them."""
    session = clip.session()
    session.add_scribbles(STROKES)
    mostly_object = np.ones((96, 128), np.uint8)
    mostly_object[:, 100:] = 0
    session.add_scribbles(LATER, previous_masks={9: mostly_object})
    samples = session.adapter.clips[0].samples
    new = samples.select(samples.round == 2)
    drawn = (new.object_id == 0) & ~((new.x == 13) & (new.y == 10))
    assert drawn.any() and (new.x[drawn] >= 100).all()
    with pytest.raises(AdapterError, match="5x4"):
        session.add_scribbles(LATER, previous_masks={9: np.zeros((4, 5), np.uint8)})


def test_save_writes_masks_and_a_video(clip: OpenClip, tmp_path: Path) -> None:
    session = clip.session()
    session.add_scribbles(STROKES)
    told: list[tuple[int, int]] = []
    count = session.save(
        str(tmp_path / "masks"),
        overlay=str(tmp_path / "look.mp4"),
        progress=lambda *done: told.append(done),
    )
    assert count == FRAMES and told[-1] == (FRAMES, FRAMES)
    files = sorted((tmp_path / "masks").glob("*.png"))
    assert files == [mask_file(tmp_path / "masks", t) for t in range(FRAMES)]
    for t, mask in session.masks():
        np.testing.assert_array_equal(vostool.images.read_mask(files[t]), mask)
    assert cv2.VideoCapture(str(tmp_path / "look.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES


def test_open_finds_a_path_first_and_then_a_name(
    prepared: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    frames, store = prepared
    by_path = vostool.open(str(frames), store=str(store))
    assert by_path.source is not None and by_path.source.expected_frames == FRAMES
    part = vostool.open(frames, store=store, name="part", frames=(2, 5))
    assert part.name == "part" and part.source is not None and part.source.expected_frames == 3
    monkeypatch.setenv("VOSTOOL_STORE", str(store))
    monkeypatch.chdir(tmp_path)
    by_name = vostool.open("square")
    assert by_name.source is None and by_name.stored == by_path.stored
    with pytest.raises(ClipError, match="no such clip"):
        vostool.open("nothing")


def test_a_clip_by_name_is_taken_as_it_is_stored(clip: OpenClip) -> None:
    with pytest.raises(MissingStageError, match="no backbone features of deeplabv2-resnet101"):
        clip.session("paper", features="backbone", backbone="deeplabv2-resnet101")


def test_what_is_asked_for_may_repeat_the_adapter_and_not_contradict_it(clip: OpenClip) -> None:
    session = clip.session("paper", features="backbone", seed=7)
    session.add_scribbles(STROKES)
    adapter = session.adapter
    settings = Settings.of(adapter=adapter)
    assert settings.preset == adapter.preset and settings.preset.features == "backbone"
    assert (settings.backbone, settings.seed) == ("efficientnet-lite0", 7)
    assert Settings.of(preset="paper", features="backbone", seed=7, adapter=adapter) == settings
    assert Settings.of(preset="paper", adapter=adapter) == settings
    for asked, word in (
        ({"preset": "default"}, "--preset"),
        ({"features": "both"}, "--features backbone"),
        ({"backbone": "deeplabv2-resnet101"}, "--backbone"),
        ({"seed": 0}, "--seed 7"),
    ):
        with pytest.raises(UsageError, match=word):
            Settings.of(**asked, adapter=adapter)
