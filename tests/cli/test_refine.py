"""`vostool refine` through the real command line: what it writes, keeps and refuses."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Vostool, moving_square, square_mask
from vostool.adapter import Adapter, Samples
from vostool.cli.common import chosen_refiner
from vostool.images import read_mask

REFINE = ("refine", "square", "--adapter", "a.h5", "--out", "m")

pytestmark = pytest.mark.usefixtures("still_rgmp")


def masks(folder: Path) -> np.ndarray:
    return np.stack([read_mask(file) for file in sorted(folder.glob("*.png"))])


def j(found: np.ndarray) -> list[float]:
    return [
        float(((mask == 1) & square_mask(t)).sum() / ((mask == 1) | square_mask(t)).sum())
        for t, mask in enumerate(found)
    ]


@pytest.fixture
def fitted(vostool: Vostool, square_adapter: Path) -> Vostool:
    """The command line, with an adapter of the square in `a.h5`."""
    assert square_adapter.name == "a.h5"
    return vostool


def test_masks_of_every_frame_are_written(fitted: Vostool, tmp_path: Path) -> None:
    done = fitted(*REFINE, "--json", "--overlay", "look.mp4")
    assert done.status == 0, done.err
    assert json.loads(done.out) == {"masks": "m", "clip": "square", "frames": 12}
    found = masks(tmp_path / "m")
    assert found.shape == (12, 96, 128) and set(np.unique(found)) == {0, 1}
    assert min(j(found)) > 0.5
    assert (tmp_path / "look.mp4").stat().st_size > 1000

    assert fitted("render", "square", "--adapter", "a.h5", "--out", "r", "--refine").status == 0
    np.testing.assert_array_equal(masks(tmp_path / "r"), found)
    assert fitted("render", "square", "--adapter", "a.h5", "--out", "p").status == 0
    assert not (tmp_path / "p" / ".refined").exists()
    assert (masks(tmp_path / "p") != found).any(), "refinement changes something"


def test_the_next_round_leaves_alone_what_no_stroke_changed(
    fitted: Vostool, tmp_path: Path
) -> None:
    assert fitted(*REFINE).status == 0
    kept = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "m" / ".refined").glob("*.npz")}
    assert len(kept) == 3, "the annotated frame, and a way to each side"
    before = masks(tmp_path / "m")
    assert fitted(*REFINE).status == 0
    again = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "m" / ".refined").glob("*.npz")}
    assert again == kept
    np.testing.assert_array_equal(masks(tmp_path / "m"), before)

    stroke = {"path": [[0.5, 0.5], [0.7, 0.5]], "object_id": 1}
    frames: list[list[object]] = [[] for _ in range(12)]
    frames[10] = [stroke]
    (tmp_path / "2.json").write_text(json.dumps({"scribbles": frames}))
    done = fitted(*("adapt", "square", "--scribbles", "2.json", "--from", "a.h5", "--out", "b.h5"))
    assert done.status == 0, done.err
    assert fitted("refine", "square", "--adapter", "b.h5", "--out", "m").status == 0
    names = {f.name for f in (tmp_path / "m" / ".refined").glob("*.npz")}
    assert any(name.startswith("000010") for name in names)


@pytest.mark.usefixtures("square_store")
def test_masks_of_the_preset_paper_travel_too(
    vostool: Vostool, square_scribbles: Path, tmp_path: Path
) -> None:
    words = ("adapt", "square", "--scribbles", square_scribbles, "--out", "a.h5")
    assert vostool(*words, "--preset", "paper").status == 0
    assert vostool(*REFINE).status == 0
    assert masks(tmp_path / "m").shape == (12, 96, 128) and masks(tmp_path / "m").max() == 1
    assert vostool(*REFINE, "--refiner-weights", "random").status == 0


def test_rgmp_needs_its_weights_and_the_frames(
    fitted: Vostool, square_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOSTOOL_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ("--adapter", "a.h5", "--out", "m")
    segment = ("segment", square_clip, "--scribbles", "square.json", "--out", "m", "--name", "new")
    for command in (("refine", *words), ("render", *words, "--refine"), (*segment, "--refine")):
        done = fitted(*command)
        assert done.status == 1 and "seoungwugoh/RGMP" in done.err and len(done.errors) == 1
        assert str(tmp_path / "weights" / "rgmp-resnet50.pth") in done.errors[0]
        assert "--refiner-weights FILE" in done.errors[0]
    assert not (tmp_path / "m").exists()
    assert "new" not in fitted("store", "ls").out, "told before the heavy work"
    square_clip.rename(tmp_path / "elsewhere")
    done = fitted(*REFINE, "--refiner-weights", "random")
    assert done.status == 1 and "vostool extract" in done.err and len(done.errors) == 1


def test_weights_of_ones_own_are_told_by_their_hash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As those of the other networks are: a flipped bit in them is seen in nothing else."""
    file = tmp_path / "weights.pth"
    file.write_bytes(b"whatever")
    assert chosen_refiner(True, str(file), "cpu") is not None
    told = hashlib.sha256(b"whatever").hexdigest()
    assert capsys.readouterr().err == f"{file}: SHA-256 {told}\n"
    chosen_refiner(True, "random", "cpu")
    assert capsys.readouterr().err == ""


def test_bad_input_is_told_in_a_line(fitted: Vostool, tmp_path: Path) -> None:
    adapter = Adapter.read(tmp_path / "a.h5")

    (clip,) = adapter.clips
    beyond = {**clip.strokes.columns(), "frame": clip.strokes.frame + 50}
    for name, strokes in (("none", Samples.empty()), ("beyond", Samples(**beyond))):
        changed = replace(adapter, clips=(replace(clip, strokes=strokes),))
        changed.write(tmp_path / f"{name}.h5")
    moving_square(tmp_path / "other")
    assert fitted("extract", tmp_path / "other").status == 0

    for arguments, word in (
        (("refine", "square", "--adapter", "none.h5"), "no annotated frame"),
        (("refine", "square", "--adapter", "beyond.h5"), "strokes on frame 52, the clip has 12"),
        (("refine", "other", "--adapter", "a.h5"), "vostool adapt other"),
        (("refine", "square", "--adapter", "missing.h5"), "vostool adapt"),
        (
            ("refine", "square", "--adapter", "a.h5", "--refiner-weights", "x"),
            "no such file of weights",
        ),
    ):
        done = fitted(*arguments, "--out", "bad")
        assert done.status == 1 and word in done.err and len(done.errors) == 1, (arguments, done)
        assert not list((tmp_path / "bad").glob("*.png"))


def test_any_networks_features_will_do(
    vostool: Vostool, square_clip: Path, square_scribbles: Path
) -> None:
    """Masks travel by frames, whatever the classifier reads."""
    net = ("--backbone", "deeplabv3plus-xception65")
    assert vostool("extract", square_clip, *net, "--random-weights").status == 0
    linear = ("--preset", "paper", "--features", "backbone")
    vostool(*("adapt", "square", *net, *linear, "--scribbles", square_scribbles, "--out", "a.h5"))
    done = vostool(*REFINE)
    assert done.status == 0, done.err


def test_several_adapters_are_refused(fitted: Vostool, tmp_path: Path) -> None:
    done = fitted(
        *("render", "square", "--adapter", "a.h5", "--adapter", "a.h5", "--out", "m", "--refine")
    )
    assert done.status == 1 and "give one --adapter" in done.err


def test_a_killed_run_goes_on_to_the_same_masks(
    vostool: Vostool, square_scribbles: Path, tmp_path: Path
) -> None:
    clip = moving_square(tmp_path / "square", frames=24, size=(96, 160))
    assert vostool("propagate", "-", stdin=vostool("extract", clip).out).status == 0
    words = ("adapt", "square", "--scribbles", square_scribbles, "--out", "a.h5")
    assert vostool(*words).status == 0
    assert vostool("refine", "square", "--adapter", "a.h5", "--out", "whole").status == 0

    command = [sys.executable, "-m", "vostool", *REFINE]
    run = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    kept = tmp_path / "m" / ".refined"
    until = time.monotonic() + 60
    while not list(kept.glob("[!.]*.npz")) and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert not list((tmp_path / "m").glob("*.png")), "no mask before all are made"
    before = {f.name: f.stat().st_mtime_ns for f in kept.glob("[!.]*.npz")}
    assert before

    assert vostool(*REFINE).status == 0
    after = {f.name: f.stat().st_mtime_ns for f in kept.glob("*.npz")}
    assert before.items() <= after.items() and len(after) > len(before)
    np.testing.assert_array_equal(masks(tmp_path / "m"), masks(tmp_path / "whole"))
