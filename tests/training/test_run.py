"""`vostool train`, through the real command line: both steps and the decoder, and going on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.conftest import Done, Vostool, square_mask
from tests.training.test_data import video
from vostool.backbones import DEFAULT, find_network
from vostool.checkpoints import TRAINED_ON, fingerprint, read_metadata
from vostool.training.run import Training
from vostool.training.trainer import Schedule

pytest.importorskip("matplotlib", reason="matplotlib is not installed; it draws the curve")

SMALL = ("--size", "64x96", "--frames", 2, "--iterations", 3)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root of three annotated videos, and of two photos."""
    for name in ("a", "b", "c"):
        video(tmp_path / "root", name)
    for folder in ("images", "masks"):
        (tmp_path / "root" / folder).mkdir()
    for n in range(2):
        mask = square_mask(n)
        image = np.where(mask[..., None], (200, 20, 20), (20, 90, 20)).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "root" / "images" / f"{n}.jpg")
        Image.fromarray(255 * mask.astype(np.uint8)).save(tmp_path / "root" / "masks" / f"{n}.png")
    return tmp_path / "root"


def finished(done: Done) -> None:
    assert done.status == 0, done.err


def test_the_two_steps_one_after_the_other(vostool: Vostool, root: Path, tmp_path: Path) -> None:
    finished(vostool("train", "step1", "--photos", root, "--out", "photos", *SMALL))
    finished(
        vostool(*("train", "step1", "--videos", root, "--init", "photos", "--out", "one", *SMALL))
    )
    finished(
        vostool(
            *("train", "step2", "--videos", root, "--init", "one", "--out", "two"),
            *("--shots", 2, *SMALL),
        )
    )
    one, two = (load_file(tmp_path / out / "rnn.safetensors") for out in ("one", "two"))
    assert not one["K_time"].any() and two["K_time"].any(), "time waits for step 2"
    backbones = [tmp_path / out / "backbone.safetensors" for out in ("photos", "one", "two")]
    assert len({fingerprint(file) for file in backbones}) == 2, "fixed in step 2"
    assert read_metadata(tmp_path / "two" / "rnn.safetensors")[TRAINED_ON] == fingerprint(
        backbones[2]
    )
    left = {file.name for file in (tmp_path / "two").iterdir()}
    assert left == {
        "backbone.safetensors", "rnn.safetensors", "checkpoint.pt", "features", "log.csv",
        "loss.png", "settings.json",
    }  # fmt: skip


def test_weights_of_ones_own_are_run(vostool: Vostool, root: Path) -> None:
    finished(vostool("train", "step1", "--videos", root, "--out", "one", *SMALL))
    frames = root / "JPEGImages" / "a"
    finished(vostool("extract", frames, "--weights", "one/backbone.safetensors"))
    finished(vostool("propagate", "a", "--model", "one/rnn.safetensors"))
    other = vostool("propagate", "a")
    assert other.status == 1 and "trained for other features than those of a" in other.errors[0]
    missing = vostool("propagate", "a", "--model", "two/rnn.safetensors")
    assert "no such file of weights; shipped are: decoder, " in missing.errors[0]
    assert "rnn, rnn-spatial" in missing.errors[0]
    decoder = vostool("propagate", "a", "--model", "decoder")
    assert decoder.status == 1 and len(decoder.errors) == 1


def test_a_training_goes_on_to_the_same_weights(
    vostool: Vostool, root: Path, tmp_path: Path
) -> None:
    """Cut off after a checkpoint, as a killed run is: nothing of the rest is there."""
    weights = "decoder.safetensors"
    options = ("train", "decoder", "--photos", root, "--videos", root, *SMALL)
    finished(vostool(*options, "--out", "whole"))
    finished(vostool(*options, "--out", "again"))
    for name in (weights, "loss.png"):
        (tmp_path / "again" / name).unlink()
    refused = vostool(*options, "--out", "again")
    assert refused.status == 1 and "--resume" in refused.errors[0]
    finished(vostool(*options, "--out", "again", "--resume"))
    whole, again = (load_file(tmp_path / out / weights) for out in ("whole", "again"))
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    with (tmp_path / "whole" / "log.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 3


def test_the_default_backbone_may_stay_fixed(vostool: Vostool, root: Path, tmp_path: Path) -> None:
    fixed = ("--fixed-backbone", "--shots", 2, "--videos", root, *SMALL)
    finished(vostool("train", "step1", "--out", "one", *fixed))
    finished(vostool("train", "step2", "--init", "one", "--out", "two", *fixed))
    one, two = (tmp_path / out / "rnn.safetensors" for out in ("one", "two"))
    assert not load_file(one)["K_time"].any() and load_file(two)["K_time"].any()
    assert (
        read_metadata(one)[TRAINED_ON]
        == read_metadata(two)[TRAINED_ON]
        == find_network(DEFAULT).fingerprint()
    )
    assert not (tmp_path / "two" / "backbone.safetensors").exists()


def test_held_back_sequences_are_named(vostool: Vostool, root: Path) -> None:
    options = ("train", "decoder", "--videos", root, "--hold-back", 2, "--out", "out")
    done = vostool(*options, *SMALL)
    finished(done)
    assert "held back: a, c" in done.err


def test_scenes_are_drawn_as_often_as_what_they_are_made_of(root: Path) -> None:
    """Of alike objects: where a recipe wants them, and nowhere else."""

    def roots(recipe: str) -> list[list[str]]:
        training = Training(
            recipe, (root,), (root,), 2, None, 2, (64, 96), 0, Schedule(1, 1e-3), {}
        )
        return [[source.name for source in one] for one in training._roots(lambda _: None)]

    assert roots("step1") == [["0", "1"], ["b"]]
    assert roots("decoder") == [["0", "1"], ["scene 0", "scene 1"], ["b"], ["beside b"]]


def test_what_cannot_be_trained_is_one_line(vostool: Vostool, root: Path, tmp_path: Path) -> None:
    def told(recipe: str, *arguments: object) -> str:
        done = vostool("train", recipe, "--out", "out", *arguments)
        assert done.status == 1 and len(done.errors) == 1 and not (tmp_path / "out").exists()
        return done.errors[0]

    assert "give --videos or --photos" in told("step1")
    assert "hold less back" in told("step1", "--videos", root, "--hold-back", 1)
    assert "no training to go on with" in told("step1", "--videos", root, "--resume")
    assert "--init takes the --out" in told("step2", "--videos", root, "--init", root)
    wrong = vostool("train", "step1", "--videos", root, "--size", "big", "--out", "out")
    assert wrong.status == 2 and "as 256x320" in wrong.err
