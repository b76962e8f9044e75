"""What is to be done is told from stamps: right ones, and none that are nearly right.

A planner that reads clips, or opens every stage, would take days over a hundred thousand.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import zarr

from tests.batch.stubs import Stamper, stub_clips, stub_task
from tests.conftest import Vostool, moving_square
from tests.microscopy.made import cells, chunk_files, write_ome_zarr
from vostool.batch.missing import Stamps, source_bytes
from vostool.batch.task import Task
from vostool.store.layout import clip_folder

BOTH = ("extract", "propagate")


def missing(task: Task, clip: str, source: object) -> tuple[str, ...]:
    return Stamps(task).look(clip, str(source)).missing


def test_stamps_of_real_stages_are_read(vostool: Vostool, square_clip: Path) -> None:
    task = stub_task(square_clip.parent)
    assert missing(task, "square", square_clip) == BOTH
    vostool("extract", square_clip)
    assert missing(task, "square", square_clip) == ("propagate",)
    vostool("propagate", "square")
    assert missing(task, "square", square_clip) == ()
    look = Stamps(task).look("square", str(square_clip))
    assert all(look.seconds[stage] > 0 for stage in BOTH)
    for other in (replace(task, network_height=240), replace(task, weights="random")):
        assert missing(other, "square", square_clip) == BOTH


def test_a_clip_that_was_changed_is_made_again_and_one_that_was_touched_is_not(
    vostool: Vostool, square_clip: Path
) -> None:
    task = stub_task(square_clip.parent)
    vostool("extract", square_clip)
    os.utime(square_clip / "00003.png")
    assert missing(task, "square", square_clip) == ("propagate",)
    moving_square(square_clip, 13)
    assert missing(task, "square", square_clip) == BOTH


def test_a_chunk_that_was_changed_is_seen_however_deep(tmp_path: Path, vostool: Vostool) -> None:
    values = cells((3, 40, 56), "uint8")
    clip = write_ome_zarr(tmp_path / "movie.zarr", values, "tyx")
    task = stub_task(tmp_path)
    assert vostool("extract", clip).status == 0
    assert missing(task, "movie", clip) == ("propagate",)
    array = zarr.open_group(clip)["full"]
    assert isinstance(array, zarr.Array)
    array[1] = 9
    assert missing(task, "movie", clip) == BOTH
    assert source_bytes(str(clip)) > sum(file.stat().st_size for file in chunk_files(clip))


def test_another_clip_of_the_name_is_not_taken_for_it(vostool: Vostool, square_clip: Path) -> None:
    task = stub_task(square_clip.parent)
    vostool("extract", square_clip, "--frames", "0:3")
    assert missing(task, "square", square_clip) == BOTH
    other = moving_square(square_clip.parent / "elsewhere" / "square", 5)
    vostool("extract", square_clip)
    assert missing(task, "square", other) == BOTH


def test_what_is_not_whole_is_missing(tmp_path: Path) -> None:
    task = stub_task(tmp_path)
    sources = stub_clips(tmp_path, 4)
    for clip, source in sources.items():
        Stamper(task).stamp(clip, source)
    first, second, third, whole = sources
    for clip, name, content in (
        (first, "manifest.json", None), (second, "zarr.json", "{"), (third, "zarr.json", "{}")
    ):  # fmt: skip
        file = clip_folder(Path(task.store), clip) / task.backbone / "backbone" / name
        file.unlink() if content is None else file.write_text(content)
        assert missing(task, clip, sources[clip]) == BOTH
    assert missing(task, whole, sources[whole]) == ()


def test_no_clip_and_no_chunk_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = stub_task(tmp_path)
    sources = stub_clips(tmp_path, 50)
    stamper = Stamper(task)
    for number, (clip, source) in enumerate(sources.items()):
        stamper.stamp(clip, source, stages=number % 3)
    opened: list[str] = []
    real = Path.open

    def counted(self: Path, *args: object, **kwargs: object) -> object:
        opened.append(self.name)
        return real(self, *args, **kwargs)  # type: ignore[call-overload]

    stamps = Stamps(task)
    stamps.look("clip000002", sources["clip000002"])  # which looks at the weights, once
    monkeypatch.setattr(Path, "open", counted)
    left = [stamps.look(clip, source).missing for clip, source in sources.items()]
    assert [len(stages) for stages in left] == [2 - k % 3 for k in range(50)]
    assert {*opened} <= {"zarr.json", "source.json"}
    assert len(opened) <= 4 * 50


def test_what_cannot_name_a_clip_is_left_to_its_job(tmp_path: Path) -> None:
    assert missing(stub_task(tmp_path), "a!", tmp_path / "a!.mp4") == BOTH


def test_the_bytes_of_a_clip(square_clip: Path, tmp_path: Path) -> None:
    files = sum(file.stat().st_size for file in square_clip.iterdir())
    assert source_bytes(str(square_clip)) == files
    assert source_bytes(str(square_clip / "00000.png")) < files / 6
    assert source_bytes(str(tmp_path / "none")) == 0
