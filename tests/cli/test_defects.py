"""Defects that were found in use, each of which must not come back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

import vostool as package
from tests.conftest import Vostool, moving_square
from vostool.adapter import Adapter
from vostool.backbones import BACKBONES
from vostool.cli import main
from vostool.davis import evaluation
from vostool.presets import PRESETS
from vostool.training.recipes import RECIPES


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with the square's features and context."""
    folder = tmp_path_factory.mktemp("defects")
    clip = moving_square(folder / "square")
    package.open(clip, store=folder / "store").session("paper")
    yield folder / "store"
    shutil.rmtree(folder)


@pytest.fixture
def stored(vostool: Vostool, prepared: Path, tmp_path: Path) -> Vostool:
    """The command line, with that store in this test's folder."""
    shutil.copytree(prepared, tmp_path / "store")
    return vostool


def test_adapt_from_inherits_the_earlier_adapter(
    stored: Vostool, square_scribbles: Path, tmp_path: Path
) -> None:
    words = ("adapt", "--scribbles", square_scribbles)
    paper = ("--preset", "paper", "--features", "backbone", "--seed", 5)
    assert stored(*words, "square", *paper, "--out", "1.h5").status == 0
    assert stored(*words, "--from", "1.h5", "--out", "2.h5").status == 0, "NAME is in the adapter"
    first, second = Adapter.read(tmp_path / "1.h5"), Adapter.read(tmp_path / "2.h5")
    assert second.preset == first.preset
    assert not second.preset.decoder and second.preset.ridge == 30.0
    assert second.preset.features == second.provenance.features == "backbone"
    assert second.provenance.seed == 5 and second.rounds == 2
    assert stored(*words, "--from", "1.h5", *paper, "--out", "3.h5").status == 0, "says the same"


@pytest.mark.parametrize(
    "contradiction",
    [
        ("--preset", "default"),
        ("--features", "both"),
        ("--backbone", "deeplabv2-resnet101"),
        ("--seed", "1"),
    ],
)
def test_adapt_from_refuses_what_contradicts_the_earlier_adapter(
    stored: Vostool, square_scribbles: Path, tmp_path: Path, contradiction: tuple[str, str]
) -> None:
    words = ("adapt", "square", "--scribbles", square_scribbles)
    chosen = ("--preset", "paper", "--features", "backbone")
    assert stored(*words, *chosen, "--out", "1.h5").status == 0
    done = stored(*words, "--from", "1.h5", *contradiction, "--out", "2.h5")
    assert done.status == 2 and contradiction[0] in done.errors[0]
    assert not (tmp_path / "2.h5").exists()


def test_a_name_is_left_out_wherever_an_adapter_has_it(
    stored: Vostool, square_scribbles: Path, tmp_path: Path
) -> None:
    assert stored("adapt", "--scribbles", square_scribbles, "--out", "1.h5").status == 2
    stored("adapt", "square", "--scribbles", square_scribbles, "--out", "1.h5")
    for command, options in (("render", ()), ("refine", ("--refiner-weights", "random"))):
        done = stored(command, "--adapter", "1.h5", "--out", command, "--json", *options)
        assert json.loads(done.out)["clip"] == "square", done.err
        assert len(list((tmp_path / command).glob("*.png"))) == 12


def test_random_is_no_file_of_weights(vostool: Vostool) -> None:
    done = vostool("weights", "check", "random")
    assert done.status == 1 and done.errors == ["Error: random: no such file of weights"]


def test_weights_are_of_a_network_which_rgmp_is_too(vostool: Vostool) -> None:
    assert vostool("weights", "check", "w.pth", "--network", "nonsense").status == 2
    assert vostool("weights", "check", "w.pth", "--backbone", "rgmp-resnet50").status == 2
    done = vostool("weights", "check", "w.pth", "--network", "rgmp-resnet50")
    assert done.errors == ["Error: w.pth: no such file of weights"]


def test_a_refiners_weights_go_with_refine(
    stored: Vostool, square_scribbles: Path, tmp_path: Path
) -> None:
    stored("adapt", "square", "--scribbles", square_scribbles, "--out", "1.h5")
    words = ("render", "--adapter", "1.h5", "--out", "m")
    done = stored(*words, "--refiner-weights", "w.pth")
    assert done.status == 2 and "goes with --refine" in done.errors[0]
    done = stored(*words, "--refine", "--refiner-weights", "w.pth")
    assert done.status == 1 and "w.pth: no such file of weights" in done.errors[0]
    assert not (tmp_path / "m").exists()


def test_a_recipe_takes_its_own_options_alone(vostool: Vostool) -> None:
    for recipe, option in (
        ("decoder", "--shots=3"),
        ("decoder", "--fixed-backbone"),
        ("presence", "--shots=3"),
        ("step1", "--model=rnn"),
    ):
        done = vostool("train", recipe, option, "--out", "o")
        assert done.status == 2 and "No such option" in done.errors[0], done.err
    listed = vostool("train", "--help").out
    assert all(recipe in listed for recipe in RECIPES)


def test_a_table_in_a_pipe_has_no_boxes(stored: Vostool) -> None:
    lines = stored("store", "ls").out.splitlines()
    assert all(line.isascii() for line in lines)
    assert [line.split()[:4] for line in lines[1:]] == [
        ["square", "efficientnet-lite0", "backbone", "12"],
        ["square", "efficientnet-lite0", "context", "12"],
    ]


def test_removal_is_told_in_json(stored: Vostool) -> None:
    done = stored("store", "rm", "square", "--stage", "context", "--json")
    told = {"clip": "square", "network": "efficientnet-lite0", "stage": "context"}
    assert json.loads(done.out) == told


def test_a_failing_propagate_leaves_no_store(vostool: Vostool, tmp_path: Path) -> None:
    done = vostool("propagate", "nope")
    assert done.status == 1 and "vostool extract CLIP" in done.errors[0]
    assert not (tmp_path / "store").exists()


def test_code_that_decides_scores_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(evaluation.code_digest()) == 10
    monkeypatch.setattr(evaluation, "DECIDING", ("pyramid.py", "pyramids/*.py"))
    with pytest.raises(LookupError, match=r"pyramids/\*\.py"):
        evaluation.code_digest()


def test_segment_takes_name_height_and_refine(
    vostool: Vostool, square_clip: Path, square_scribbles: Path, tmp_path: Path
) -> None:
    done = vostool(
        *("segment", square_clip, "--scribbles", square_scribbles, "--out", "m", "--refine"),
        *("--refiner-weights", "random", "--name", "mine", "--height", "64", "--json"),
    )
    assert json.loads(done.out) == {"masks": "m", "clip": "mine", "frames": 12}, done.err
    assert (tmp_path / "m" / ".refined").is_dir()
    row = json.loads(vostool("store", "ls", "--json").out.splitlines()[0])
    assert row["clip"] == "mine" and row["stamp"]["made_from"]["network_height"] == 64


def completed(*words: str) -> set[str]:
    """What the shell offers for the last word."""
    shell = ShellComplete(main, {}, "vostool", "_VOSTOOL_COMPLETE")
    return {item.value for item in shell.get_completions(list(words[:-1]), words[-1])}


def test_the_shell_completes_what_vostool_knows(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOSTOOL_STORE", str(prepared))
    assert completed("extract", "--backbone", "") == set(BACKBONES)
    assert completed("extract", "--backbone", "deeplabv2") == {"deeplabv2-resnet101"}
    for command in ("propagate", "adapt", "render", "refine"):
        assert completed(command, "sq") == {"square"}, command
    assert completed("store", "rm", "") == {"square"}
    assert completed("propagate", "--store", "elsewhere", "") == set()
    assert completed("adapt", "--preset", "") == set(PRESETS)
    assert {"rnn", "rnn-spatial"} <= completed("propagate", "--model", "")
    assert "rgmp-resnet50" in completed("weights", "check", "--network", "r")
