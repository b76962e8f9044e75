"""Batches are what their numbers make them, whoever makes them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.training.test_data import video
from vostool.errors import ClipError
from vostool.training.batches import (
    LOSSES,
    SHOTS,
    SIZES,
    STROKES,
    Batch,
    Batches,
    Correction,
)
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
    columns = [
        [column for marks in batch.first for part in (marks.samples, marks.strokes)
         for column in part.columns().values()]
        for batch in (one, other)
    ]  # fmt: skip
    return (
        np.array_equal(one.images, other.images)
        and np.array_equal(one.truth, other.truth)
        and all(np.array_equal(a, b) for a, b in zip(*columns, strict=True))
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
    for workers in (0, 1):
        batches = Batches(ShotSampler([open_videos(root)], 2, SIZE, 0), 1, workers)
        with pytest.raises(ClipError, match=r"^nothing to train on: no object in these shots"):
            batches.batch(0)
        batches.close()


def test_every_choice_of_an_iteration_is_a_chance_of_its_own(sampler: ShotSampler) -> None:
    """numpy takes (1, 0) for (1,): a choice that followed from another one would be no choice."""
    keys: list[tuple[int, ...]] = [(3, SIZES), (3, LOSSES)]
    keys += [(3, SHOTS, n, attempt) for n in range(3) for attempt in range(3)]
    keys += [(3, STROKES, number, b) for number in range(1, 4) for b in range(3)]
    drawn = [sampler.rng(*key).random() for key in keys]
    assert len(set(drawn)) == len(keys)


PROGRAM = """
import sys
from pathlib import Path
from vostool.training.batches import Batches, Correction
from vostool.training.data import open_videos
from vostool.training.sampler import ShotSampler

if __name__ == "__main__":
    batches = Batches(ShotSampler([open_videos(Path(sys.argv[1]))], 2, (64, 96), 0), 1, 2)
    batch = batches.batch(0)
    truth = batch.truth[0, 0]
    batches.correct([Correction(truth, 0 * truth, 0, batch.first[0].samples, (1,))] * 2)
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks processes up in /proc")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_a_training(tmp_path: Path, ending: signal.Signals) -> None:
    root = video(tmp_path / "root", "square")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    mark_ = f"TRAINING={tmp_path}"
    process = subprocess.Popen(
        [sys.executable, str(program), str(root)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TRAINING": str(tmp_path)},
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    assert len(_with(mark_)) >= 5, "itself, two that make shots and two that draw"
    process.send_signal(ending)
    process.wait()
    until = time.monotonic() + 20
    while _with(mark_) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _with(mark_)


def _with(variable: str) -> list[int]:
    """The processes with a variable in their environment, but for zombies."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and variable.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found
