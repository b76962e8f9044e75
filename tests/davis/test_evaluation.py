"""`vostool evaluate`, through the real command line: its results, going on, and bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.conftest import DAVIS, Done, Vostool
from tests.davis.roots import FRAMES, folders, make_root
from vostool.backbones import DEFAULT
from vostool.davis import compat
from vostool.davis.method import Method
from vostool.davis.root import read_root
from vostool.presets import PRESETS
from vostool.store import FeatureStore

OFFICIAL_COLUMNS = [
    "session_id", "sequence", "scribble_idx", "interaction", "object_id", "frame", "jaccard",
    "contour", "j_and_f", "timing",
]  # fmt: skip
SCORES = ("sequence", "scribble_idx", "interaction", "object_id", "frame", "jaccard", "contour")

PAPER = ("--preset", "paper")
"""Where it does not matter: its samples are played without torch, and so begin sooner."""

Evaluate = Callable[..., Done]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root", {"two": (1, 2), "one": (255,)}, first_rounds=2)


@pytest.fixture
def evaluate(need: Callable[[str], None], vostool: Vostool, root: Path, tmp_path: Path) -> Evaluate:
    """`vostool evaluate` with two rounds on the small root."""
    need(compat.PACKAGE)

    def call(*arguments: object, out: str = "out") -> Done:
        options = ("--davis-root", root, "--rounds", 2, "--out", tmp_path / out)
        return vostool("evaluate", *options, *arguments)

    return call


def read(out: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return summary


def reports(out: Path) -> tuple[Any, Any]:
    import pandas

    warm, cold = (pandas.read_csv(out / f"{clock}.csv", index_col=0) for clock in ("warm", "cold"))
    return warm, cold


def test_results_are_for_people_and_for_scripts(evaluate: Evaluate, tmp_path: Path) -> None:
    done = evaluate("--preset", "paper")

    assert done.status == 0, done.err
    out = tmp_path / "out"
    summary, (warm, cold) = read(out), reports(out)

    assert list(warm.columns) == OFFICIAL_COLUMNS
    assert len(warm) == 2 * 2 * FRAMES * (2 + 1)
    assert set(warm.object_id[warm.sequence == "one"]) == {1}, "as the package numbers them"
    assert summary["sequences"]["one"]["object_ids"] == [255]
    assert warm[list(SCORES)].equals(cold[list(SCORES)])

    # Cold is warm, and what the features of the sequence took, in each first round.
    for name in ("two", "one"):
        preparation = summary["sequences"][name]["preparation_seconds"]
        assert preparation > 0.05
        more = (cold.timing - warm.timing)[cold.sequence == name]
        first = (cold.interaction == 1)[cold.sequence == name]
        assert more[first].to_numpy() == pytest.approx(preparation)
        assert (more[~first] == 0).all()
    assert summary["cold"]["auc"] < summary["warm"]["auc"] <= 1

    assert len(summary["rounds"]) == 2
    last = summary["rounds"][-1]
    by_object = warm[warm.interaction == 2].groupby(["sequence", "scribble_idx", "object_id"])
    means = by_object[["jaccard", "contour"]].mean().mean()
    assert (last["j"], last["f"]) == pytest.approx((means.jaccard, means.contour))
    assert last["j_and_f"] == pytest.approx((last["j"] + last["f"]) / 2)
    assert 0 < last["seconds"] == pytest.approx(last["seconds_cold"])
    assert summary["cold"]["j_and_f_at_60s"] > 0.5, "squares of one colour are easy"
    assert set(summary["sequences"]["one"]) >= {"warm", "cold", "rounds", "frames"}

    assert summary["versions"]["davisinteractive"] == "1.0.4"
    made_from = summary["cache_keys"]["two"]["efficientnet-lite0"]["backbone"]["made_from"]
    assert made_from["backbone"] == "efficientnet-lite0" and made_from["weights"]
    assert summary["settings"]["boundary_margin"] == 0.0

    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    page = (out / "worst.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 4

    lines = [line.split() for line in done.out.splitlines() if line]
    assert lines[3][0] == "all" and float(lines[3][2]) == pytest.approx(last["j_and_f"], abs=6e-4)

    *rows, everything = map(json.loads, evaluate("--preset", "paper", "--json").out.splitlines())
    assert [row.pop("sequence") for row in rows] == ["two", "one"]
    assert rows == list(summary.pop("sequences").values())
    assert everything == {"all": summary}


def test_jobs_and_official_metrics_change_no_score(evaluate: Evaluate, tmp_path: Path) -> None:
    two = ("--sequences", "two")
    assert evaluate(*two).status == 0
    assert evaluate(*two, "--jobs", 3, out="side by side").status == 0
    assert evaluate(*two, "--official-metrics", out="official").status == 0

    warm, _ = reports(tmp_path / "out")
    side_by_side, _ = reports(tmp_path / "side by side")
    official, _ = reports(tmp_path / "official")
    assert warm[list(SCORES)].equals(side_by_side[list(SCORES)])
    assert read(tmp_path / "side by side")["jobs"] == [3]
    for score in ("jaccard", "contour"):
        assert abs(warm[score] - official[score]).max() < 1e-9


def test_an_evaluation_goes_on_where_it_stopped(evaluate: Evaluate, tmp_path: Path) -> None:
    assert evaluate(*PAPER).status == 0
    samples = tmp_path / "out" / "samples"
    before = {file: file.stat().st_mtime_ns for file in samples.glob("*.json")}
    assert len(before) == 4
    (samples / "two.002.json").unlink()
    (samples / "one.001.json").write_text("{")

    done = evaluate(*PAPER)

    assert done.status == 0 and "2 of 4 samples are there already" in done.err
    after = {file: file.stat().st_mtime_ns for file in samples.glob("*.json")}
    changed = {file.name for file in after if after[file] != before[file]}
    assert changed == {"two.002.json", "one.001.json"}


def test_a_killed_evaluation_leaves_no_process_and_goes_on(
    evaluate: Evaluate, root: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ("--davis-root", root, "--rounds", 2, "--jobs", 2, "--out", out, *PAPER)
    process = subprocess.Popen(
        [sys.executable, "-m", "vostool", "evaluate", *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    deadline = time.monotonic() + 120
    while not list(out.glob("samples/*.json")) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    # Pipes that its children hold would keep this from returning.
    process.communicate(timeout=60)

    assert not (out / "summary.json").exists()
    done = evaluate("--jobs", 2, *PAPER)
    assert done.status == 0 and "samples are there already" in done.err
    assert read(out)["cold"]["auc"] > 0


def test_other_settings_need_another_folder(evaluate: Evaluate, root: Path, tmp_path: Path) -> None:
    assert evaluate("--sequences", "one").status == 0
    before = (tmp_path / "out" / "summary.json").read_bytes()

    done = evaluate("--sequences", "one", "--preset", "paper")
    assert done.status == 1 and "boundary margin 6.0 is now 0.0" in done.errors[0]

    file = folders(root, "one")[2] / "002.json"
    file.unlink()
    done = evaluate("--sequences", "one")
    assert done.status == 1 and "sequences" in done.errors[0]
    assert (tmp_path / "out" / "summary.json").read_bytes() == before

    (tmp_path / "out" / "settings.json").write_text("[1]")
    assert "no settings of an evaluation" in evaluate("--sequences", "one").errors[0]


def test_a_failed_start_does_not_bind_the_folder(evaluate: Evaluate, tmp_path: Path) -> None:
    done = evaluate("--sequences", "one", "--backbone", "no-such-network")
    assert done.status == 1 and "no backbone" in done.errors[0]

    assert evaluate("--sequences", "one", "--rounds", 1, *PAPER).status == 0


def test_one_evaluation_a_folder(evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".lock"):
        assert "another evaluation runs there" in evaluate().errors[0]


def test_bad_input_is_told_before_anything_heavy_runs(
    evaluate: Evaluate, vostool: Vostool, root: Path, tmp_path: Path
) -> None:
    def told(*arguments: object) -> str:
        done = evaluate(*arguments)
        assert done.status == 1 and len(done.errors) == 1
        assert not (tmp_path / "store").exists() and not (tmp_path / "out").exists()
        return done.errors[0]

    assert "no sequence 'three' among its 2" in told("--sequences", "one,three")
    assert "cannot be read; name the sequences" in told("--subset", "train")
    (folders(root, "one")[2] / "002.json").write_text("{")
    assert "002.json: not a JSON file" in told()
    assert evaluate("--subset", "val", "--sequences", "one").status == 2
    assert evaluate("--rounds", 17).status == 2
    assert "no masks" in vostool("evaluate", "--davis-root", tmp_path, "--out", "x").errors[0]


def test_cold_counts_the_context_too(tmp_path: Path, root: Path) -> None:
    (sequence,) = read_root(root, names=["one"])
    method = Method(tmp_path / "features", PRESETS["paper"])

    heavy = method.prepare(sequence.clip, lambda *_: None, lambda _: None)

    stored = FeatureStore(method.store).clip("one")
    seconds = [stored.stage(DEFAULT, stage).seconds for stage in ("backbone", "context")]
    assert None not in seconds and heavy.seconds == sum(s for s in seconds if s)
    assert list(heavy.cache_keys[DEFAULT]) == ["backbone", "context"]


def test_two_models_are_measured_together(evaluate: Evaluate, tmp_path: Path) -> None:
    linear = ("--preset", "paper", "--features", "backbone", "--sequences", "one", "--rounds", 2)
    both = ("--backbone", DEFAULT, "--backbone", "deeplabv3plus-xception65", "--random-weights")
    done = evaluate(*linear, *both)
    assert done.status == 0, done.err
    summary = read(tmp_path / "out")
    assert list(summary["cache_keys"]["one"]) == [DEFAULT, "deeplabv3plus-xception65"]
    assert len(summary["rounds"]) == 2 and summary["rounds"][1]["j"] > 0.2
    done = evaluate(*linear, "--backbone", DEFAULT, "--weights", "a", "--weights", "b")
    assert done.status == 2 and "--weights once for each --backbone" in done.err
    for wrong in (
        ("--backbone", DEFAULT, "--backbone", DEFAULT),
        ("--weights", "a", "--random-weights"),
    ):
        assert evaluate(*linear, *wrong).status == 2


@pytest.mark.usefixtures("still_rgmp")
def test_masks_travel_after_the_last_round_or_every_one(evaluate: Evaluate, tmp_path: Path) -> None:
    for when in ("none", "last", "every"):
        options = ("--preset", "paper", "--sequences", "two", "--refine", when)
        done = evaluate(*options, out=when)
        assert done.status == 0, done.err
    none, last, every = (reports(tmp_path / when)[0] for when in ("none", "last", "every"))

    def of(report: Any, interaction: int) -> Any:
        chosen = report[report.interaction == interaction].sort_values(list(SCORES[:5]))
        return chosen[list(SCORES)].reset_index(drop=True)

    assert of(none, 1).equals(of(last, 1)), "until then nothing travels"
    assert not of(none, 2).equals(of(last, 2))
    assert not of(none, 1).equals(of(every, 1))
    summary = read(tmp_path / "last")
    assert summary["settings"]["refine"] == "last"
    assert summary["settings"]["refiner"].startswith("rgmp-resnet50 ")
    assert summary["rounds"][1]["j"] > 0.3
    refused = evaluate("--preset", "paper", "--sequences", "two", "--refine", "every", out="last")
    assert refused.status == 1 and "refine last is now every" in refused.errors[0]


def test_scores_by_distance_from_the_annotated_frames(evaluate: Evaluate, tmp_path: Path) -> None:
    assert evaluate("--sequences", "one", "--rounds", 1, *PAPER).status == 0
    summary, (warm, _) = read(tmp_path / "out"), reports(tmp_path / "out")
    bins = {row["away"]: row for row in summary["distance"]}
    assert sum(row["frames"] for row in bins.values()) == len(warm) == 2 * FRAMES
    # The two first rounds mark frames 1 and 2.
    marked = warm[warm.frame == warm.scribble_idx]
    assert bins["0"]["frames"] == 2 and bins["0"]["j"] == pytest.approx(marked.jaccard.mean())
    assert set(bins) == {"0", "1", "2 to 3"}
    assert bins["0"]["f"] == pytest.approx(marked.contour.mean())


def test_refinement_that_cannot_run_is_told_first(
    evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOSTOOL_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    net = ("--backbone", "deeplabv3plus-xception65", "--random-weights")
    linear = ("--preset", "paper", "--features", "backbone", "--refiner-weights", "random")
    for arguments, word in (
        ((), "or give --refiner-weights FILE"),
        (("--backbone", DEFAULT, *net, *linear), "one model's scores"),
        (("--refiner-weights", "nothing"), "no such file of weights"),
    ):
        done = evaluate("--refine", "last", *arguments)
        assert done.status == 1 and word in done.errors[0], done
        assert not (tmp_path / "store").exists()


@pytest.mark.shared
def test_two_real_sequences_two_rounds(
    need: Callable[[str], None], vostool: Vostool, tmp_path: Path
) -> None:
    need(compat.PACKAGE)
    options = ("--sequences", "car-shadow,motocross-jump", "--rounds", 2, "--jobs", 2)
    done = vostool("evaluate", "--davis-root", DAVIS, *options, "--out", tmp_path / "out")

    assert done.status == 0, done.err
    summary = read(tmp_path / "out")
    warm, cold = reports(tmp_path / "out")
    assert len(warm) == len(cold) == 2 * 3 * 2 * 40
    assert summary["sequences"]["car-shadow"]["rounds"][0]["j"] > 0.6
    assert 0.2 < summary["cold"]["auc"] <= summary["warm"]["auc"] < 1
    for name in ("car-shadow", "motocross-jump"):
        assert summary["sequences"][name]["preparation_seconds"] > 1
