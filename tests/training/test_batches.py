"""Batches are what their numbers make them, whoever makes them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.training.test_data import video
from vostool.errors import ClipError
from vostool.training.batches import Batch, Batches, Correction
from vostool.training.data import open_photos, open_videos
from vostool.training.sampler import ShotSampler

SIZE, FRAMES = (64, 96), 3


@pytest.fixture
def sampler(tmp_path: Path) -> ShotSampler:
    """Of a video, and of photos that lie and that stand."""
    root = tmp_path / "photos"
    for name, (height, width) in {"a": (80, 120), "b": (120, 80), "c": (80, 120)}.items():
        for folder in ("images", "masks"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        image = np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)
        mask = np.zeros((height, width), np.uint8)
        mask[20:60, 20:60] = 255
        cv2.imwrite(str(root / "images" / f"{name}.png"), image)
        cv2.imwrite(str(root / "masks" / f"{name}.png"), mask)
    videos = open_videos(video(tmp_path / "root", "square"))
    return ShotSampler([videos, open_photos(root)], FRAMES, SIZE, 7)


def the_same(one: Batch, other: Batch) -> bool:
    firsts = zip(one.first, other.first, strict=True)
    return (
        np.array_equal(one.images, other.images)
        and np.array_equal(one.truth, other.truth)
        and all(np.array_equal(a.samples.xy, b.samples.xy) for a, b in firsts)
    )


def test_a_batch_is_of_one_size_and_all_sizes_come(sampler: ShotSampler) -> None:
    batches = Batches(sampler, 3)
    sizes = [batches.batch(number).images.shape for number in range(30)]
    assert {shape[:2] for shape in sizes} == {(3, FRAMES)}
    assert {shape[2:4] for shape in sizes} == {SIZE, SIZE[::-1]}


def test_sources_are_drawn_as_often_as_one_by_one(sampler: ShotSampler) -> None:
    """A root is drawn from as often as another: of two, in half of the batches."""
    rng = np.random.default_rng(0)
    drawn = [sampler.shots_alike(rng) for _ in range(2000)]
    upright = np.mean([drawer.shot(rng).images.shape[1] == SIZE[1] for drawer in drawn[:300]])
    assert upright == pytest.approx(0.5 / 3, abs=0.07), "one photo of three stands"


def test_other_processes_make_the_same(sampler: ShotSampler) -> None:
    here, there = Batches(sampler, 2), Batches(sampler, 2, workers=2)
    for number in (4, 5, 6, 2):  # ahead, and back again
        assert the_same(here.batch(number), there.batch(number)), number
    batch = here.batch(4)
    truth = batch.truth[0, 0]
    asked = [
        Correction(truth, np.zeros_like(truth), 0, batch.first[0].samples, (1, 2)),
        None,
        Correction(truth, np.zeros_like(truth), 1, batch.first[0].samples, (1, 3)),
    ]
    ours, theirs = here.correct(asked), there.correct(asked)
    assert ours[1] is None and theirs[1] is None
    for one, other in ((ours[0], theirs[0]), (ours[2], theirs[2])):
        assert one is not None and other is not None
        np.testing.assert_array_equal(one.strokes.xy, other.strokes.xy)
    assert ours[0] is not None and ours[2] is not None
    assert (ours[0].frame, ours[2].frame) == (0, 1)


def test_a_root_with_nothing_to_mark_is_told(tmp_path: Path) -> None:
    root = video(tmp_path / "root", "square")
    for mask in (root / "Annotations" / "square").iterdir():
        Image.new("L", (128, 96)).save(mask)
    batches = Batches(ShotSampler([open_videos(root)], 2, SIZE, 0), 1)
    with pytest.raises(ClipError, match="no object in these shots can be marked"):
        batches.batch(0)
