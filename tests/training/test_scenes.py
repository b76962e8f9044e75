"""Scenes of alike objects: each keeps its own label, and a seed decides everything."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import square_mask
from tests.training.test_data import video
from vostool.training.data import Photo, open_photos, open_videos
from vostool.training.scenes import (
    FEWEST,
    MOST,
    MOST_COPIES,
    STRAY,
    TALL,
    Beside,
    Scene,
    cut_out,
    placed,
    scenes,
)

SIZE = (96, 128)
COLOURS = ((200, 20, 20), (200, 180, 20), (180, 20, 200))


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    """A square each, of a colour of its own, before green."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for n, colour in enumerate(COLOURS):
        mask = square_mask(n)
        image = np.where(mask[..., None], colour, (20, 90, 20)).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "images" / f"{n}.png")
        Image.fromarray(255 * mask.astype(np.uint8)).save(tmp_path / "masks" / f"{n}.png")
    return open_photos(tmp_path)


def test_there_is_a_scene_of_each_photo(photos: list[Photo]) -> None:
    made = scenes(photos)
    assert [scene.photo for scene in made] == photos
    assert [scene.name for scene in made] == [f"scene {photo.name}" for photo in photos]


def test_a_scene_has_several_objects_and_each_its_label(photos: list[Photo]) -> None:
    counts = []
    for seed in range(20):
        shot = Scene(photos[0], photos).shot(4, SIZE, np.random.default_rng(seed))
        assert shot.images.shape == (4, *SIZE, 3) and shot.masks.shape == (4, *SIZE)
        assert shot.images.dtype == shot.masks.dtype == np.uint8
        seen = set(np.unique(shot.masks)) - {0}
        assert seen <= set(range(1, MOST + 1))
        counts.append(max(seen, default=0))
        for image, labels in zip(shot.images.astype(int), shot.masks, strict=True):
            of_objects = image[..., 0] > image[..., 1] + 60
            inner = np.zeros(SIZE, bool)
            inner[2:-2, 2:-2] = True
            if (of_objects & inner).any():
                assert (labels[of_objects & inner] > 0).mean() > 0.8, "none is without a label"
    assert min(counts) >= FEWEST and max(counts) == MOST


def test_the_first_objects_of_a_scene_are_alike(photos: list[Photo]) -> None:
    """As many as there are at least are copies of one cut-out: looks do not tell which is which."""
    alike = []
    for seed in range(12):
        shot = Scene(photos[0], photos).shot(2, SIZE, np.random.default_rng(seed))
        shot_colours = [
            np.median(shot.images[0][shot.masks[0] == label], axis=0)
            for label in range(1, FEWEST + 1)
            if (shot.masks[0] == label).sum() > 50
        ]
        for one, other in pairwise(shot_colours):
            alike.append(np.abs(one / one.max() - other / other.max()).max() < 0.15)
    assert len(alike) > 6 and np.mean(alike) > 0.9


def test_some_objects_leave_the_frame_and_come_back(photos: list[Photo]) -> None:
    came_back = 0
    for seed in range(60):
        shot = Scene(photos[0], photos).shot(5, SIZE, np.random.default_rng(seed))
        for label in range(1, MOST + 1):
            visible = (shot.masks == label).sum(axis=(1, 2)) > 0
            if visible.any():
                first, last = np.flatnonzero(visible)[[0, -1]]
                came_back += bool((~visible[first:last]).any())
    assert came_back > 0 and STRAY > 0.5


def test_a_photo_whose_mask_is_empty_ends_no_training(photos: list[Photo]) -> None:
    Image.new("L", SIZE[::-1]).save(photos[1].mask)
    for photo in photos:
        for seed in range(4):
            shot = Scene(photo, photos).shot(2, SIZE, np.random.default_rng(seed))
            assert shot.masks.any()


def test_a_seed_decides_a_scene(photos: list[Photo]) -> None:
    scene = Scene(photos[1], photos)
    first, again = (scene.shot(3, SIZE, np.random.default_rng(5)) for _ in "12")
    other = scene.shot(3, SIZE, np.random.default_rng(6))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.masks, again.masks)
    assert (first.images != other.images).any()


def test_a_scene_is_no_larger_than_its_photo(photos: list[Photo]) -> None:
    shot = Scene(photos[0], photos).shot(2, (480, 854), np.random.default_rng(0))
    height, width = shot.masks.shape[1:]
    assert height <= SIZE[0] and width <= SIZE[1]


def test_a_cut_out_is_the_box_of_its_object() -> None:
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    mask = np.zeros((20, 30), np.uint8)
    mask[3:9, 4:15] = 1
    mask[3, 4] = 0
    colours, inside = cut_out(image, mask)
    np.testing.assert_array_equal(colours, image[3:9, 4:15])
    np.testing.assert_array_equal(inside, mask[3:9, 4:15])
    colours, inside = cut_out(image, np.zeros_like(mask))
    assert colours.shape == image.shape and inside.all(), "the whole photo"


@pytest.mark.parametrize("box", [(6, 11), (11, 6), (1, 40), (40, 1), (300, 300)])
def test_a_cut_out_lies_about_the_middle(box: tuple[int, int]) -> None:
    image, mask = np.full((*box, 3), 120, np.uint8), np.ones(box, np.uint8)
    for seed in range(10):
        canvas, where = placed(image, mask, SIZE, np.random.default_rng(seed))
        assert canvas.shape == (*SIZE, 3) and where.shape == SIZE
        y, x = np.nonzero(where)
        assert abs(y.mean() - (SIZE[0] - 1) / 2) <= 1 and abs(x.mean() - (SIZE[1] - 1) / 2) <= 1
        longer = max(np.ptp(y), np.ptp(x)) + 1
        assert TALL[0] * SIZE[0] - 1 <= longer <= TALL[1] * SIZE[0] + 1
        assert not canvas[where == 0].any() and (canvas[where == 1] >= 100).all()


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_copies_move_beside_a_videos_object(tmp_path: Path, frames: int) -> None:
    (source,) = open_videos(video(tmp_path, "square"))
    beside, labels = Beside(source), set()
    assert beside.name == "beside square"
    for seed in range(12):
        shot = beside.shot(frames, (72, 96), np.random.default_rng(seed))
        assert shot.images.shape == (frames, 72, 96, 3) and shot.masks.shape == (frames, 72, 96)
        labels |= set(np.unique(shot.masks).tolist())
        for image, mask in zip(shot.images.astype(int), shot.masks, strict=True):
            for label in set(np.unique(mask)) - {0}:
                red = image[mask == label][:, 0] > image[mask == label][:, 1]
                if red.size > 100:  # else it is all outline
                    assert red.mean() > 0.75, "copies are red, as what they are copies of"
            red = image[..., 0] > image[..., 1] + 60
            assert (mask[red] > 0).mean() > 0.95 if red.any() else True
    assert labels == set(range(MOST_COPIES + 2))


def test_a_video_stays_as_it_is_on_disk_and_in_its_shots(tmp_path: Path) -> None:
    """Copies are drawn on a copy: the video's own shot of the same seed has none."""
    (source,) = open_videos(video(tmp_path, "square"))
    alone = source.shot(3, (72, 96), np.random.default_rng(2))
    with_copies = Beside(source).shot(3, (72, 96), np.random.default_rng(2))
    assert set(np.unique(alone.masks)) == {0, 1}
    same = with_copies.masks <= 1
    np.testing.assert_array_equal(with_copies.images[same], alone.images[same])


def test_a_frame_without_the_object_has_no_copies(tmp_path: Path) -> None:
    root = video(tmp_path, "square")
    for file in (root / "Annotations" / "square").iterdir():
        Image.new("L", (128, 96)).save(file)
    (source,) = open_videos(root)
    shot = Beside(source).shot(3, (72, 96), np.random.default_rng(0))
    assert not shot.masks.any()
