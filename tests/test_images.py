"""Protects the reading of images: upright and in colour, or index for index; whole, or refused.

What lies in a file may be anything: it ends in an image or in one line that names the file.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.conftest import Vostool
from vostool.backbones import DEFAULT
from vostool.clips import open_clip
from vostool.errors import ImageError
from vostool.images import Frame, image_size, read_image, read_mask
from vostool.reading import Reading
from vostool.store import FeatureStore
from vostool.writers.png import write_mask


def noise(seed: int, size: tuple[int, int] = (48, 64)) -> Frame:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def an_object(size: tuple[int, int] = (20, 20)) -> npt.NDArray[np.uint8]:
    mask = np.zeros(size, np.uint8)
    mask[5:15, 5:15] = 1
    return mask


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK"])
def test_images_of_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    file = tmp_path / ("f.jpg" if mode == "CMYK" else "f.png")
    grey = Image.new("RGB", (8, 6), (90, 90, 90))
    (grey.quantize() if mode == "P" else grey.convert(mode)).save(file)
    image = read_image(file)
    assert image.shape == (6, 8, 3)
    np.testing.assert_allclose(image, 90, atol=4)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), image_format=st.sampled_from(["png", "jpeg"]))
def test_damaged_image_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, image_format: str
) -> None:
    file = tmp_path_factory.mktemp("damaged") / f"0.{image_format}"
    Image.fromarray(noise(0, (9, 11))).save(file)
    damaged = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(damaged)
    try:
        image = read_image(file)
    except ImageError as problem:
        told = str(problem)
    else:
        told = str(file)
        assert image.ndim == 3
    assert str(file) in told
    assert "\n" not in told


def test_a_size_is_told_by_the_head(tmp_path: Path) -> None:
    Image.fromarray(noise(0, (9, 11))).save(tmp_path / "0.png")
    assert image_size(tmp_path / "0.png") == (9, 11)
    (tmp_path / "0.png").write_bytes(b"PNG")
    for file in ("0.png", "none.png"):
        with pytest.raises(ImageError, match=file):
            image_size(tmp_path / file)


def test_grey_mask_is_read(tmp_path: Path) -> None:
    Image.fromarray(an_object()).save(tmp_path / "0.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "0.png"), an_object())


def test_mask_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"none\.png"):
        read_mask(tmp_path / "none.png")


@pytest.mark.parametrize("left", [0, 20, 60])
def test_broken_mask_is_refused(tmp_path: Path, left: int) -> None:
    file = tmp_path / "00000.png"
    write_mask(file, an_object())
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(ImageError, match=r"00000\.png") as problem:
        read_mask(file)
    assert "\n" not in str(problem.value)


def test_mask_whose_header_claims_an_absurd_size_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "00000.png"
    write_mask(file, an_object())
    png = bytearray(file.read_bytes())
    png[16:24] = struct.pack(">II", 30000, 30000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    file.write_bytes(png)
    with pytest.raises(ImageError, match=r"00000\.png"):
        read_mask(file)


def test_rgb_mask_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "0.png")
    with pytest.raises(ImageError, match="RGB"):
        read_mask(tmp_path / "0.png")


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "float32"])
def test_a_contrast_makes_one_value_black_and_one_white(tmp_path: Path, kind: str) -> None:
    """Whatever an image's numbers are: microscopes use few of them."""
    grey = np.array([[0, 20, 45], [70, 120, 200]], kind)
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, grey)
    want = np.array([[0, 0, 64], [128, 255, 255]])
    shown = read_image(file, contrast=(20, 120))
    np.testing.assert_allclose(shown[..., 0], want, atol=0.6)
    assert (shown == shown[..., :1]).all()


@pytest.mark.parametrize("value", [0.5, -1, 70000])
def test_what_is_black_and_white_is_not_guessed(tmp_path: Path, value: float) -> None:
    kind = "float32" if value == 0.5 else "int32"
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 4), value, kind))
    with pytest.raises(ImageError, match=r"a\.tif: has values .*--contrast LOW:HIGH"):
        read_image(tmp_path / "a.tif")


def test_a_contrast_is_part_of_what_a_clip_is(tmp_path: Path, vostool: Vostool) -> None:
    stack = np.random.default_rng(0).integers(100, 900, (3, 64, 80)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "cells.tif", stack, photometric="minisblack")
    plain = open_clip(tmp_path / "cells.tif")
    clear = open_clip(tmp_path / "cells.tif", reading=Reading(contrast=(100, 900)))
    assert plain.fingerprint != clear.fingerprint
    frames = np.stack(list(clear.frames()))
    assert frames.max() == 255 and np.stack(list(plain.frames())).max() < 5
    done = vostool("extract", "cells.tif", "--contrast", "100:900")
    assert done.status == 0, done.err
    metadata = FeatureStore(tmp_path / "store").clip("cells").stage(DEFAULT, "backbone").metadata
    assert metadata.fingerprint == clear.fingerprint
    assert Reading.from_dict(metadata.reading) == clear.reading
    for wrong in ("9", "a:b", "9:3", "1:2:3"):
        done = vostool("extract", "cells.tif", "--contrast", wrong)
        assert done.status == 2 and wrong in done.err
