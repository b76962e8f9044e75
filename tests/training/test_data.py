"""Training shots come from videos of both layouts and from photos, at one size, labels in step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import DAVIS, moving_square, square_mask
from vostool.errors import ClipError
from vostool.training.data import Window, open_photos, open_videos

SIZE = (48, 64)


def video(root: Path, name: str, between: str = "", every: int = 1) -> Path:
    """A red square on green, with a mask of every n-th frame."""
    moving_square(root / "JPEGImages" / between / name)
    masks = root / "Annotations" / between / name
    masks.mkdir(parents=True)
    for t in range(0, 12, every):
        Image.fromarray(square_mask(t).astype(np.uint8)).save(masks / f"{t:05d}.png")
    return root


def test_a_list_of_training_sequences_is_kept_to(tmp_path: Path) -> None:
    video(video(tmp_path, "measured"), "trained")
    (tmp_path / "ImageSets" / "2017").mkdir(parents=True)
    (tmp_path / "ImageSets" / "2017" / "train.txt").write_text("trained\n")
    assert [source.name for source in open_videos(tmp_path)] == ["trained"]


@pytest.mark.parametrize("between", ["480p", ""])
def test_videos_of_both_layouts(tmp_path: Path, between: str) -> None:
    video(tmp_path, "all", between)
    video(tmp_path, "some", between, every=5)
    every, some = open_videos(tmp_path)
    assert (every.name, len(every.files), len(some.files)) == ("all", 12, 3)
    assert [v.name for v in open_videos(tmp_path, ["some"])] == ["some"]


def test_labels_are_in_step_with_frames(tmp_path: Path) -> None:
    (source,) = open_videos(video(tmp_path, "square", every=1))
    for seed in range(10):
        shot = source.shot(4, SIZE, np.random.default_rng(seed))
        assert shot.images.shape == (4, *SIZE, 3) and shot.masks.shape == (4, *SIZE)
        red = shot.images[..., 0].astype(int) > shot.images[..., 1].astype(int)
        agrees = (red[:, None] == (shot.masks == 1)).mean(axis=(2, 3))  # frame by mask
        assert agrees.diagonal().min() > 0.96
        assert (agrees.argmax(axis=1) == np.arange(4)).all()


def test_a_video_with_few_frames_gives_its_last_again(tmp_path: Path) -> None:
    (source,) = open_videos(video(tmp_path, "short", every=6))
    shot = source.shot(4, SIZE, np.random.default_rng(0))
    assert len({image.tobytes() for image in shot.images}) == 2


def test_photos_are_set_in_motion(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for n in range(3):
        mask = square_mask(n)
        image = np.where(mask[..., None], (200, 20, 20), (20, 90, 20)).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "images" / f"{n}.jpg")
        Image.fromarray(255 * mask.astype(np.uint8)).save(tmp_path / "masks" / f"{n}.png")
    photos = open_photos(tmp_path)
    labels = set()
    for seed in range(8):
        shot = photos[0].shot(3, SIZE, np.random.default_rng(seed))
        assert shot.images.shape == (3, *SIZE, 3)
        labels |= set(np.unique(shot.masks).tolist())
    assert labels == {0, 1, 2, 3}, "of its own object, and of others that pass"


@pytest.mark.parametrize(("photo", "wanted", "given"), [
    ((96, 128), (48, 64), (48, 64)),
    ((96, 128), (192, 320), (77, 128)),
    ((128, 96), (192, 320), (128, 77)),
])  # fmt: skip
def test_a_photo_is_not_blown_up(
    tmp_path: Path, photo: tuple[int, int], wanted: tuple[int, int], given: tuple[int, int]
) -> None:
    for folder, mode in (("images", "RGB"), ("masks", "L")):
        (tmp_path / folder).mkdir()
        suffix = "jpg" if mode == "RGB" else "png"
        Image.new(mode, photo[::-1], 200).save(tmp_path / folder / f"a.{suffix}")
    (source,) = open_photos(tmp_path)
    assert source.shot(2, wanted, np.random.default_rng(0)).masks.shape == (2, *given)


def test_a_window_keeps_the_proportions_of_the_view() -> None:
    for seed in range(20):
        window = Window.random((480, 854), (96, 160), np.random.default_rng(seed))
        assert window.width / window.height == pytest.approx(160 / 96, rel=0.02)
        assert 0 <= window.top <= 480 - window.height and 0 <= window.left <= 854 - window.width


def test_bad_roots_are_one_line(tmp_path: Path) -> None:
    def told(root: Path, names: list[str] | None = None) -> str:
        with pytest.raises(ClipError) as raised:
            open_videos(root, names)
        return str(raised.value)

    assert "no videos to train on" in told(tmp_path)
    video(tmp_path, "square")
    assert "absent: no such sequence" in told(tmp_path, ["absent"])
    (tmp_path / "JPEGImages" / "square" / "00003.png").unlink()
    assert "00003.png: no frame 00003" in told(tmp_path)
    with pytest.raises(ClipError, match="no photos to train on"):
        open_photos(tmp_path)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "a.jpg")
    with pytest.raises(ClipError, match=r"a\.png: missing"):
        open_photos(tmp_path)


@pytest.mark.shared
def test_real_photos_and_videos() -> None:
    rng = np.random.default_rng(0)
    photos, videos = open_photos(DAVIS.parent / "duts"), open_videos(DAVIS)
    assert len(photos) == 2400 and len(videos) == 30, "the sequences to measure on are no data"
    for source in (photos[7], videos[3]):
        shot = source.shot(3, (192, 256), rng)
        assert shot.masks.any() and shot.images.std() > 5
