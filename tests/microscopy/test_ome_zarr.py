"""Protects OME-Zarr images as clips: the right planes, whole or told of, and none of another's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import numcodecs
import numpy as np
import ome_zarr_models.v04
import ome_zarr_models.v05
import pytest
import zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from tests.conftest import Vostool
from tests.microscopy.made import Version, cells, chunk_files, write_ome_zarr
from vostool.backbones import DEFAULT
from vostool.clips import default_name, open_clip
from vostool.errors import ClipError, ImageError
from vostool.pipeline.prediction import source_clip
from vostool.reading import Reading
from vostool.store import FeatureStore

SIZE = (40, 56)
BOTH: list[Version] = ["0.4", "0.5"]
DAPI, GFP = ({"label": "DAPI", "color": "0000FF"}, {"label": "GFP", "color": "00FF00"})
RGB = [{"label": colour, "color": colour} for colour in ("0000FF", "FF0000", "00FF00")]


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    """Six frames of two channels, of 16 bits."""
    values = cells((6, 2, *SIZE))
    return write_ome_zarr(tmp_path / "movie.ome.zarr", values, "tcyx", channels=[DAPI, GFP])


@pytest.mark.parametrize("version", BOTH)
def test_each_frame_is_its_plane(tmp_path: Path, version: Version) -> None:
    """By chunks that hold several frames, parts of planes, and several channels."""
    values = cells((7, 2, 1, *SIZE))
    for number, chunks in enumerate([(1, 1, 1, *SIZE), (3, 2, 1, 16, 25), (7, 1, 1, 64, 64)]):
        folder = tmp_path / f"{number}.zarr"
        write_ome_zarr(folder, values, "tczyx", version=version, chunks=chunks)
        model = ome_zarr_models.v04 if version == "0.4" else ome_zarr_models.v05
        model.Image.from_zarr(zarr.open_group(folder, mode="r"))
        clip = open_clip(folder, frames=(1, 6), reading=Reading(channel=1))
        assert (clip.name, clip.expected_frames, clip.size) == (f"{number}", 5, SIZE)
        assert clip.incomplete is None
        for start in (0, 2, 4):
            frames = list(clip.frames(start))
            assert len(frames) == 5 - start
            for frame, want in zip(frames, values[1 + start : 6, 1, 0], strict=True):
                np.testing.assert_allclose(frame[..., 2], want / 257, atol=0.51)
                assert (frame == frame[..., :1]).all(), "it is grey"


def test_shards_are_read(tmp_path: Path) -> None:
    values = cells((6, *SIZE), "uint8")
    folder = write_ome_zarr(
        tmp_path / "s.zarr", values, "tyx", chunks=(1, 20, 28), shards=(3, *SIZE)
    )
    clip = open_clip(folder)
    np.testing.assert_array_equal([frame[..., 0] for frame in clip.frames()], values)
    before = clip.fingerprint
    chunk_files(folder)[1].unlink()
    again = open_clip(folder)
    assert again.incomplete and "frames 3-5 are not there" in again.incomplete
    assert again.fingerprint != before


@pytest.mark.parametrize(
    ("axes", "shape"), [("tyx", (5, *SIZE)), ("zyx", (5, *SIZE)), ("tczyx", (1, 1, 5, *SIZE))]
)
def test_times_are_frames_or_else_depths_are(
    tmp_path: Path, axes: str, shape: tuple[int, ...]
) -> None:
    values = cells(shape, "uint8")
    clip = open_clip(write_ome_zarr(tmp_path / "z", values, axes))
    np.testing.assert_array_equal(
        [frame[..., 0] for frame in clip.frames()], values.reshape(5, *SIZE)
    )


def test_one_plane_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    values = cells(SIZE, "uint8")
    clip = open_clip(write_ome_zarr(tmp_path / "z", values, "yx"))
    np.testing.assert_array_equal([frame[..., 0] for frame in clip.frames()], [values])


def test_times_and_depths_are_too_many(tmp_path: Path) -> None:
    folder = write_ome_zarr(tmp_path / "z", cells((3, 4, *SIZE)), "tzyx")
    with pytest.raises(ClipError, match="4 slices of depth at each of 3 times; save the slice"):
        open_clip(folder)


def test_a_channel_is_chosen_by_number_or_name(movie: Path) -> None:
    with pytest.raises(ClipError, match=r"has 2 channels \(0 DAPI, 1 GFP\); choose one with --cha"):
        open_clip(movie)
    by_number, by_name = (open_clip(movie, reading=Reading(channel=c)) for c in ("1", "GFP"))
    other = open_clip(movie, reading=Reading(channel=0))
    assert by_number.fingerprint == by_name.fingerprint != other.fingerprint
    np.testing.assert_array_equal(next(by_number.frames()), next(by_name.frames()))
    for wrong in (2, -1, "gfp", "7", ""):
        with pytest.raises(ClipError, match=r"has no channel .* but 2 channels"):
            open_clip(movie, reading=Reading(channel=wrong))


def test_red_green_and_blue_are_a_picture(tmp_path: Path) -> None:
    """By the colours that the metadata tell, in whatever order; or by three plain channels."""
    values = cells((2, 3, *SIZE), "uint8")
    told = write_ome_zarr(tmp_path / "told", values, "tcyx", channels=RGB)
    plain = write_ome_zarr(tmp_path / "plain", values, "tcyx")
    for folder, order in ((told, [1, 2, 0]), (plain, [0, 1, 2])):
        frames = np.stack(list(open_clip(folder).frames()))
        np.testing.assert_array_equal(frames, values[:, order].transpose(0, 2, 3, 1))
    prints = {open_clip(folder).fingerprint for folder in (told, plain)}
    assert len(prints) == 2
    grey = next(open_clip(told, reading=Reading(channel="00FF00")).frames())
    np.testing.assert_array_equal(grey[..., 0], values[0, 2])
    dyes = [*RGB[:2], {"label": "c", "color": "FF00FF"}]
    with pytest.raises(ClipError, match="3 channels"):
        open_clip(write_ome_zarr(tmp_path / "dyes", values, "tcyx", channels=dyes))


def test_contrast_is_of_the_images_numbers(tmp_path: Path) -> None:
    light = np.linspace(0, 1, 2 * 40 * 56).reshape(2, *SIZE).astype(np.float32)
    folder = write_ome_zarr(tmp_path / "z", light, "tyx")
    with pytest.raises(ImageError, match=r"z: has values.*float32, 0.0 to .*--contrast"):
        open_clip(folder)
    clip = open_clip(folder, reading=Reading(contrast=(0.25, 0.75)))
    shown = np.stack(list(clip.frames()))[..., 0]
    np.testing.assert_allclose(shown, (255 * (light - 0.25) / 0.5).clip(0, 255), atol=0.51)


@pytest.mark.parametrize(
    ("interval", "fps"),
    [((0.04, "second"), 25.0), ((20.0, "millisecond"), 50.0), ((5.0, "minute"), 24.0), (None, 24)],
)
def test_frames_a_second_are_those_that_are_told(
    tmp_path: Path, interval: tuple[float, str] | None, fps: float
) -> None:
    """But of a time lapse, which nobody could watch."""
    folder = write_ome_zarr(tmp_path / "z", cells((3, *SIZE)), "tyx", interval=interval)
    clip = open_clip(folder)
    assert clip.fps == pytest.approx(fps)
    assert clip.times == pytest.approx([0, 1 / fps, 2 / fps])


@pytest.mark.parametrize("version", BOTH)
def test_chunks_that_are_not_there_are_told_of(
    tmp_path: Path, vostool: Vostool, version: Version
) -> None:
    """Zarr takes them for empty, and programs leave out empty ones: so it may be meant."""
    folder = write_ome_zarr(
        tmp_path / "m.zarr", cells((9, *SIZE)), "tyx", version=version, fill=7,
        chunks=(1, 20, 56),
    )  # fmt: skip
    files = chunk_files(folder)
    for number in (4, 5, 6, 12):  # both halves of frame 2, one of 3 and one of 6
        files[number].unlink()
    clip = open_clip(folder, reading=Reading(contrast=(0, 14)))
    want = f"{folder}: chunks of frames 2-3, 6 are not there, and are taken for 7, as zarr has it"
    assert clip.incomplete == want
    assert (list(clip.frames())[2] == 128).all()
    assert open_clip(folder, frames=(4, 6)).incomplete is None
    done = vostool("extract", "m.zarr")
    assert done.status == 0 and want.replace(f"{folder}", "m.zarr") in done.err
    strict = vostool("extract", "m.zarr", "--strict")
    assert strict.status == 1 and "2-3, 6" in strict.err and "leave out --strict" in strict.err
    for file in chunk_files(folder):
        file.unlink()
    with pytest.raises(ClipError, match="not one of its chunks is there"):
        open_clip(folder)


@pytest.mark.parametrize(("version", "packed"), [
    ("0.4", numcodecs.Blosc()), ("0.4", numcodecs.Zlib()), ("0.4", numcodecs.Zstd()), ("0.4", None),
    ("0.5", BloscCodec()), ("0.5", GzipCodec()), ("0.5", ZstdCodec()), ("0.5", None),
])  # fmt: skip
@pytest.mark.parametrize("left", [0, 10, 300, -1])
def test_a_damaged_chunk_is_named(tmp_path: Path, version: Version, packed: Any, left: int) -> None:
    folder = write_ome_zarr(
        tmp_path / "z", cells((4, *SIZE)), "tyx", version=version, packed=packed
    )
    file = chunk_files(folder)[2]
    file.write_bytes(file.read_bytes()[:left])
    frames = open_clip(folder).frames()
    next(frames), next(frames)
    with pytest.raises(ClipError, match=r"z: frame 2 cannot be read \(.*restore it") as problem:
        next(frames)
    assert "\n" not in str(problem.value)


WELL, PLATE = {"images": [{"path": "0"}]}, {"wells": [{"path": "B/3"}]}
NO_ARRAY = {"axes": [{"name": "x"}], "datasets": [{"path": "no"}]}
NO_IMAGES: list[tuple[dict[str, Any], str]] = [
    ({"plate": PLATE}, "is a plate of wells; name one of its images, such as B/3/0 in it"),
    ({"well": WELL}, "is a well of a plate; name one of its images, such as 0 in it"),
    ({"labels": ["nuclei"]}, "is a group of labels; name one of them, such as nuclei in it"),
    ({"bioformats2raw.layout": 3}, "is a collection of images; name one of them, such as 0 in it"),
    ({}, "is a zarr without an OME-Zarr image"),
    ({"plate": 3}, "is a zarr without an OME-Zarr image"),
    ({"multiscales": []}, "not an OME-Zarr image of version 0.4 or 0.5"),
    ({"multiscales": 3}, "not an OME-Zarr image of version 0.4 or 0.5"),
    ({"multiscales": [NO_ARRAY]}, "not an OME-Zarr image of version 0.4 or 0.5"),
    ({"multiscales": [{**NO_ARRAY, "axes": ["x"]}]}, "not an OME-Zarr image of version 0.4"),
    (
        {"multiscales": [{**NO_ARRAY, "datasets": [{"path": "../1.zarr"}]}]},
        "its data lie elsewhere",
    ),
    ({"multiscales": [NO_ARRAY], "omero": 3}, "not an OME-Zarr image of version 0.4"),
]
FORMATS: list[Literal[2, 3]] = [2, 3]


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_no_image_says_what_to_name(
    tmp_path: Path, vostool: Vostool, form: Literal[2, 3]
) -> None:
    for number, (attributes, word) in enumerate(NO_IMAGES):
        folder = tmp_path / f"{number}.zarr"
        group = zarr.create_group(folder, zarr_format=form)
        group.attrs.update(attributes if form == 2 else {"ome": attributes})
        done = vostool("extract", folder)
        assert done.status == 1 and len(done.errors) == 1, done.err
        assert done.err.strip().startswith(f"Error: {folder}: ") and word in done.err


def test_a_zarr_that_is_not_whole_or_ones_own_is_named(tmp_path: Path, vostool: Vostool) -> None:
    write_ome_zarr(tmp_path / "movie.zarr", cells((3, *SIZE)), "tyx")
    assert vostool("extract", "movie.zarr").status == 0
    assert "without an OME-Zarr image" in vostool("extract", "store/movie.zarr").err
    zarr.create_array(tmp_path / "array.zarr", shape=(3, 4, 4), dtype="uint8")
    assert "without an OME-Zarr image" in vostool("extract", "array.zarr").err
    (tmp_path / "movie.zarr" / "zarr.json").write_text("{")
    assert "zarr.json: not whole" in vostool("extract", "movie.zarr").err


def test_strange_axes_are_refused(tmp_path: Path) -> None:
    for axes in ("xty", "ayx", "yyx"):
        folder = write_ome_zarr(tmp_path / axes, cells((2, *SIZE)), axes)
        with pytest.raises(ClipError, match="its axes are"):
            open_clip(folder)


def test_it_is_known_by_its_content(movie: Path, tmp_path: Path) -> None:
    reading = Reading(channel=0)
    clip = open_clip(movie, reading=reading)
    assert clip.name == "movie" == default_name(movie)
    shutil.copytree(movie, tmp_path / "elsewhere" / "other.zarr")
    moved = open_clip(tmp_path / "elsewhere" / "other.zarr", reading=reading)
    assert moved.fingerprint == clip.fingerprint
    zarr.open_group(moved.path)["full"].attrs["seen"] = "by someone"
    assert open_clip(moved.path, reading=reading).fingerprint == clip.fingerprint
    prints = {open_clip(movie, frames=(n, 5), reading=reading).fingerprint for n in range(3)}
    prints |= {open_clip(movie, reading=Reading(False, c, 0)).fingerprint for c in (None, (1, 9))}
    assert len(prints) == 5
    other_channel = zarr.open_group(moved.path)["full"]
    assert isinstance(other_channel, zarr.Array)
    other_channel[3, 1] = 5
    assert open_clip(moved.path, reading=reading).fingerprint == clip.fingerprint
    other_channel[3, 0] = 5
    assert open_clip(moved.path, reading=reading).fingerprint != clip.fingerprint


def test_it_is_a_clip_to_every_command(movie: Path, tmp_path: Path, vostool: Vostool) -> None:
    """Extracted by name of its channel, known again, rendered over, exported; and left as it is."""
    before = {file: file.stat().st_mtime_ns for file in movie.rglob("*")}
    refused = vostool("extract", movie.name)
    assert refused.status == 1 and "0 DAPI, 1 GFP" in refused.err
    done = vostool("extract", movie.name, "--channel", "GFP", "--contrast", "0:60000")
    assert (done.status, done.out) == (0, "movie\n"), done.err
    stage = FeatureStore(tmp_path / "store").clip("movie").stage(DEFAULT, "backbone")
    assert stage.metadata.reading == {"contrast": [0.0, 60000.0], "channel": "GFP"}
    again = vostool("extract", movie.name, "--channel", "1", "--contrast", "0:60000")
    assert again.status == 0 and "making" not in again.err
    other = vostool("extract", movie.name, "--channel", "0", "--contrast", "0:60000")
    assert other.status == 0 and "making backbone features again: clip" in other.err
    strokes = {"scribbles": [[{"path": [[0.2, 0.2], [0.4, 0.4]], "object_id": 1},
                              {"path": [[0.9, 0.1], [0.9, 0.9]], "object_id": 0}]]}  # fmt: skip
    (tmp_path / "s.json").write_text(json.dumps(strokes))
    assert vostool("adapt", "movie", "--scribbles", "s.json", "--out", "a.h5").status == 0
    made = vostool("render", "--adapter", "a.h5", "--out", "masks", "--overlay", "look.mp4")
    assert made.status == 0, made.err
    look = open_clip(tmp_path / "look.mp4")
    assert (look.expected_frames, look.size) == (6, SIZE)
    for form, out in (("coco", "c.json"), ("labelme", "l"), ("ome-zarr", "o.zarr")):
        words = ("--clip", movie.name, "--channel", "0", "--out", out)
        done = vostool("export", "masks", "--as", form, *words)
        assert done.status == 0, done.err
    assert '"00005.jpg"' in (tmp_path / "c.json").read_text(), "frames have no files of their own"
    for out in (movie.name, f"{movie.name}/labels/mine", "."):
        done = vostool(
            "export", "masks", "--as", "ome-zarr", "--clip", movie.name, "--channel", "0",
            "--out", out,
        )  # fmt: skip
        assert done.status == 1 and "name another place" in done.err
    assert {file: file.stat().st_mtime_ns for file in movie.rglob("*")} == before
    shutil.rmtree(movie / "full" / "c" / "2")
    reader = FeatureStore(tmp_path / "store").clip("movie").features(DEFAULT, "backbone")
    with pytest.raises(ClipError, match="other frames than its features were made of"):
        source_clip(reader)


def test_what_export_writes_is_read_in_colour(tmp_path: Path, vostool: Vostool) -> None:
    """Its frames, and its labels by the name of their image."""
    from vostool.writers.png import mask_file, write_mask

    values = cells((3, 3, *SIZE), "uint8")
    write_ome_zarr(tmp_path / "in", values, "tcyx")
    (tmp_path / "masks").mkdir()
    for frame in range(3):
        write_mask(mask_file(tmp_path / "masks", frame), (values[frame, 0] > 99).astype(np.uint8))
    done = vostool("export", "masks", "--as", "ome-zarr", "--clip", "in", "--out", "out.zarr")
    assert done.status == 0, done.err
    frames = np.stack(list(open_clip(tmp_path / "out.zarr").frames()))
    np.testing.assert_array_equal(frames, values.transpose(0, 2, 3, 1))
    with pytest.raises(ClipError, match="name one of them, such as objects in it"):
        open_clip(tmp_path / "out.zarr" / "labels")
    labels = open_clip(tmp_path / "out.zarr" / "labels" / "objects", reading=Reading(False, (0, 1)))
    for frame, shown in enumerate(labels.frames()):
        np.testing.assert_array_equal(shown[..., 0] > 0, values[frame, 0] > 99)
