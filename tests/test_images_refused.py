"""Protects from pictures that would be taken for what they are not: read rightly, or refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vostool.errors import ImageError
from vostool.images import image_size, is_image, read_image, read_mask

WORDS = np.array([[0, 128, 129, 257], [32768, 65278, 65535, 385]], np.uint16)


def saved(folder: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(folder / "grey.png")
    return folder / "grey.png"


def test_grey_of_16_bits_is_scaled_to_8(tmp_path: Path) -> None:
    frame = read_image(saved(tmp_path, WORDS))
    assert frame.dtype == np.uint8 and frame.shape == (2, 4, 3)
    assert frame[..., 1].tolist() == [[0, 0, 1, 1], [128, 254, 255, 1]]
    assert (frame == frame[..., :1]).all()


def test_a_mask_of_16_bits_is_taken_where_its_values_are_labels(tmp_path: Path) -> None:
    labels = np.array([[0, 1], [7, 255]], np.uint16)
    assert read_mask(saved(tmp_path, labels)).tolist() == labels.tolist()
    with pytest.raises(ImageError, match=r"grey\.png: has values up to 65535, labels are 0\.\.255"):
        read_mask(saved(tmp_path, WORDS))


def test_hidden_files_are_no_images() -> None:
    assert is_image(Path("a/00003.PNG")) and is_image(Path("00003.jpeg"))
    assert not is_image(Path("a/._00003.png")) and not is_image(Path("a/00003.txt"))


def test_a_pipe_is_no_image_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "00000.png")
    for read in (read_image, read_mask, image_size):
        with pytest.raises(ImageError, match="not a regular file"):
            read(tmp_path / "00000.png")
    (tmp_path / "00001.png").mkdir()
    with pytest.raises(ImageError, match="not a regular file"):
        read_image(tmp_path / "00001.png")
