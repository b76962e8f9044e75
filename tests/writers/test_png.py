"""Protects the form of the results: masks go to disk and come back index for index.

They are in the palette that the DAVIS tools read, and in their folder when all are whole.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from vostool.errors import OutputError
from vostool.images import read_mask
from vostool.masks import davis_palette
from vostool.outputs import LISTING
from vostool.writers import Content, open_writer
from vostool.writers.png import mask_file, write_mask

CONTENT = Content((4, 5), 24.0, iter(()))

masks = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=17), elements=st.integers(0, 255)
)


def test_mask_files_are_named_by_five_digits(tmp_path: Path) -> None:
    assert mask_file(tmp_path, 7) == tmp_path / "00007.png"
    assert mask_file(tmp_path, 123456) == tmp_path / "123456.png"


@settings(max_examples=40, deadline=None)
@given(mask=masks)
def test_mask_round_trip(
    tmp_path_factory: pytest.TempPathFactory, mask: npt.NDArray[np.uint8]
) -> None:
    file = tmp_path_factory.mktemp("masks") / "00000.png"
    write_mask(file, mask)
    again = read_mask(file)
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(again, mask)


@pytest.mark.parametrize("view", [np.s_[::2, ::2], np.s_[::-1], np.s_[:, 3:9]])
def test_mask_that_is_a_view_is_written_as_it_looks(
    tmp_path: Path, view: tuple[slice, ...]
) -> None:
    mask = np.random.default_rng(0).integers(0, 256, (12, 14), dtype=np.uint8)[view]
    write_mask(tmp_path / "0.png", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "0.png"), mask)


def test_mask_on_disk_is_indexed_with_the_palette(tmp_path: Path) -> None:
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_mask(tmp_path / "0.png", mask)
    with Image.open(tmp_path / "0.png") as image:
        assert (image.format, image.mode, image.size) == ("PNG", "P", (16, 16))
        colours = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(colours, davis_palette()[mask])


def test_masks_appear_together_when_all_are_whole(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "masks"
    with open_writer("png", folder, CONTENT) as writer:
        for t in range(3):
            writer.write(t, np.full((4, 5), t, np.uint8))
            assert not folder.exists()
    names = [file.name for file in sorted(folder.iterdir())]
    assert names == [LISTING, *(f"{t:05d}.png" for t in range(3))]
    assert (read_mask(mask_file(folder, 2)) == 2).all()
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_masks_that_fail_midway_leave_the_folder_as_it_was(tmp_path: Path) -> None:
    write_mask(mask_file(tmp_path, 0), np.ones((4, 5), np.uint8))
    with pytest.raises(KeyboardInterrupt), open_writer("png", tmp_path, CONTENT) as writer:
        writer.write(0, np.zeros((4, 5), np.uint8))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [mask_file(tmp_path, 0)]
    assert read_mask(mask_file(tmp_path, 0)).all()


def test_a_folder_where_nothing_can_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match="cannot be written"),
        open_writer("png", tmp_path / "file" / "masks", CONTENT) as writer,
    ):
        writer.write(0, np.zeros((4, 5), np.uint8))
