"""The whole pipeline with each network, with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.backbones.test_dinov2 import published_file
from tests.conftest import Vostool, square_mask
from tests.training.test_data import video
from vostool.backbones import BACKBONES
from vostool.images import read_mask

RESNET, XCEPTION = "deeplabv2-resnet101", "deeplabv3plus-xception65"
LINEAR = ("--preset", "paper", "--features", "backbone")


@pytest.fixture(autouse=True)
def no_weights_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOSTOOL_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_without_weights_nothing_is_made(
    vostool: Vostool, square_clip: Path, tmp_path: Path
) -> None:
    done = vostool("extract", square_clip, "--backbone", RESNET)
    assert done.status == 1 and len(done.errors) == 1
    assert BACKBONES[RESNET].source in done.err
    assert not (tmp_path / "store" / "square.zarr").exists()
    both = vostool("extract", square_clip, "--weights", "w.pth", "--random-weights")
    assert both.status == 2


@pytest.mark.parametrize("network", BACKBONES)
def test_segment_with_each_network(
    vostool: Vostool, square_clip: Path, square_scribbles: Path, network: str
) -> None:
    done = vostool(
        *("segment", square_clip, "--scribbles", square_scribbles, "--out", "m"),
        *("--backbone", network, "--random-weights", *LINEAR),
    )
    assert (done.status, done.out) == (0, "m\n"), done.err
    masks = [read_mask(file) for file in sorted((square_clip.parent / "m").glob("*.png"))]
    assert len(masks) == 12 and np.stack(masks).max() == 1
    (row,) = (json.loads(line) for line in vostool("store", "ls", "--json").out.splitlines())
    assert row["network"] == network and row["stamp"]["made_from"]["weights"] == "random"


def test_the_shipped_rnn_and_decoder_refuse_other_networks_features(
    vostool: Vostool, square_clip: Path, square_scribbles: Path
) -> None:
    net = ("--backbone", RESNET)
    for preset, word in (("default", "--preset paper"), ("paper", "vostool train --backbone")):
        done = vostool(
            *("segment", square_clip, "--scribbles", square_scribbles, "--out", "m"),
            *(*net, "--random-weights", "--preset", preset),
        )
        assert done.status == 1 and word in done.err and len(done.errors) == 1
    assert not (square_clip.parent / "store").exists(), "told before the heavy work"
    assert vostool("extract", square_clip, *net, "--random-weights").status == 0
    done = vostool("propagate", "square", *net)
    assert done.status == 1 and "trained for other features" in done.err
    vostool(
        *("adapt", "square", *net, "--features", "backbone", "--scribbles", square_scribbles),
        *("--out", "a.h5"),
    )
    done = vostool("render", "square", "--adapter", "a.h5", "--out", "m")
    assert done.status == 1 and "--preset paper" in done.err


def test_steps_1_and_2_read_one_network_alone(vostool: Vostool, tmp_path: Path) -> None:
    video(tmp_path / "root", "a")
    net = ("--backbone", "dinov2-small", "--random-weights")
    for step in ("step1", "step2"):
        done = vostool("train", step, "--videos", tmp_path / "root", "--out", "two", *net)
        assert done.status == 1 and "reads no context" in done.err and len(done.errors) == 1


def test_two_models_are_averaged(
    vostool: Vostool, square_clip: Path, square_scribbles: Path, tmp_path: Path
) -> None:
    """Two networks' features lie side by side; the average is neither's own."""
    networks = ("efficientnet-lite0", XCEPTION)
    for n, network in enumerate(networks):
        net = ("--backbone", network)
        random = ("--random-weights",) if n else ()
        assert vostool("extract", square_clip, *net, *random).status == 0
        done = vostool(
            *("adapt", "square", *net, *LINEAR, "--scribbles", square_scribbles),
            *("--out", f"{n}.h5"),
        )
        assert done.status == 0, done.err
        assert vostool("render", "square", "--adapter", f"{n}.h5", "--out", f"m{n}").status == 0
    done = vostool("render", "square", "--adapter", "0.h5", "--adapter", "1.h5", "--out", "both")
    assert (done.status, done.out) == (0, "both\n"), done.err
    both, one, two = (
        np.stack([read_mask(f) for f in sorted((tmp_path / name).glob("*.png"))])
        for name in ("both", "m0", "m1")
    )
    agree = one == two
    assert (both[agree] == one[agree]).all(), "what both see, their average sees"
    assert (both != one).any() and (both != two).any()

    # The next round corrects what was shown.
    done = vostool(
        *("adapt", "--from", "0.h5", "--scribbles", square_scribbles),
        *("--previous-masks", "both", "--out", "2.h5"),
    )
    assert done.status == 0, done.err
    default = vostool(
        *("adapt", "square", "--features", "backbone", "--scribbles", square_scribbles),
        *("--out", "d.h5"),
    )
    assert default.status == 0
    done = vostool("render", "square", "--adapter", "d.h5", "--adapter", "1.h5", "--out", "no")
    assert done.status == 1 and "--preset paper" in done.err and not (tmp_path / "no").exists()


def test_a_network_can_be_trained_and_run(
    vostool: Vostool, square_clip: Path, tmp_path: Path
) -> None:
    """Step 2's RNN on another network's features, and its context."""
    root = tmp_path / "root"
    video(root, "a")
    net = ("--backbone", RESNET, "--random-weights")
    done = vostool(
        *("train", "step2", "--fixed-backbone", "--videos", root, "--out", "two", *net),
        *("--size", "64x96", "--frames", 2, "--iterations", 2, "--shots", 2),
    )
    assert done.status == 0, done.err
    assert vostool("extract", square_clip, *net).status == 0
    done = vostool("propagate", "square", "--backbone", RESNET, "--model", "two/rnn.safetensors")
    assert (done.status, done.out) == (0, "square\n"), done.err


def test_default_goes_through_with_dinov2_small(
    vostool: Vostool, square_clip: Path, square_scribbles: Path
) -> None:
    """With its own decoder and without context: nothing is propagated."""
    published_file()
    done = vostool(
        *("segment", square_clip, "--scribbles", square_scribbles, "--out", "m"),
        *("--backbone", "dinov2-small"),
    )
    assert (done.status, done.out) == (0, "m\n"), done.err
    (row,) = (json.loads(line) for line in vostool("store", "ls", "--json").out.splitlines())
    assert (row["network"], row["stage"]) == ("dinov2-small", "backbone")
    masks = np.stack([read_mask(f) for f in sorted((square_clip.parent / "m").glob("*.png"))])
    truth = np.stack([square_mask(t) for t in range(len(masks))])
    both, either = (masks > 0) & truth, (masks > 0) | truth
    assert both.sum() / either.sum() > 0.8
