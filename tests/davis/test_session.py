"""Samples that are run one by one and put together again give what the plain package gives."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.davis.roots import FRAMES, labels_at, make_root
from vostool.davis.metrics import LabelMaps
from vostool.davis.root import DavisSequence, read_root
from vostool.davis.session import Protocol, SampleRun, charge, run_sample, summarize
from vostool.scribbles import Scribbles

pandas = pytest.importorskip("pandas", reason="comes with davisinteractive")

SEQUENCES = {"two": (1, 2), "one": (1,)}
ROUNDS = 3


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path, SEQUENCES, first_rounds=2)


@pytest.fixture
def clock(davisinteractive: ModuleType, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The session's clock, which goes on only when told to."""
    clock = SimpleNamespace(now=1000.0)
    clock.time = lambda: clock.now
    monkeypatch.setattr(davisinteractive.session.session, "time", clock)
    return clock


def masks(objects: int, played: int) -> LabelMaps:
    """Masks that get better with the rounds played before."""
    return np.stack([labels_at(t, range(1, objects + 1), 7 - 3 * played) for t in range(FRAMES)])


class Player:
    """A method that takes 2, 3, 4 seconds, and some more for the first round."""

    def __init__(self, objects: int, clock: Any, heavy: float = 0.0) -> None:
        self._objects, self._clock, self._heavy, self._played = objects, clock, heavy, 0

    def __call__(self, scribbles: Scribbles | None = None) -> LabelMaps:
        self._clock.now += 2 + self._played + (0 if self._played else self._heavy)
        self._played += 1
        return masks(self._objects, self._played - 1)


def plain(package: ModuleType, root: Path, max_time: int, clock: Any, heavy: float = 0.0) -> Any:
    """The package alone, told of the sequences through its own table."""
    davis = package.dataset.Davis
    before = davis.sets, davis.dataset
    davis.sets = {"val": list(SEQUENCES)}
    davis.dataset = {
        name: {
            "num_frames": FRAMES,
            "num_objects": len(labels),
            "num_scribbles": 2,
            "image_size": [128, 96],
        }
        for name, labels in SEQUENCES.items()
    }
    try:
        with package.session.DavisInteractiveSession(
            davis_root=root,
            user_key="somebody",
            max_time=max_time,
            max_nb_interactions=ROUNDS,
            report_save_dir=root / "reports",
        ) as session:
            player: Player | None = None
            for sequence, _, is_new in session.scribbles_iterator(only_last=True):
                if is_new:
                    player = Player(len(SEQUENCES[sequence]), clock, heavy)
                assert player is not None
                session.submit_masks(player())
        return session.get_report(), session.get_global_summary()
    finally:
        davis.sets, davis.dataset = before


def run_all(
    root: Path, protocol: Protocol, clock: Any
) -> tuple[list[DavisSequence], list[tuple[DavisSequence, int, SampleRun]]]:
    sequences = read_root(root)
    samples = [(s, n) for s in sequences for n in (1, 2)]
    return sequences, [
        (s, n, run_sample(s, n, Player(s.objects, clock), protocol, root / "scratch"))
        for s, n in samples
    ]


@pytest.mark.parametrize("heavy", [0.0, 3.5, 30.0])
@pytest.mark.parametrize("seconds", [30, 2])
def test_the_result_is_the_plain_packages(
    davisinteractive: ModuleType, root: Path, clock: SimpleNamespace, seconds: int, heavy: float
) -> None:
    """With time enough, and with time that is up; with features stored, and made first."""
    protocol = Protocol(ROUNDS, seconds)
    report, summary = plain(davisinteractive, root, ROUNDS * seconds, clock, heavy)
    sequences, runs = run_all(root, protocol, clock)

    ours = pandas.concat(
        [charge(run.report, run.rounds, heavy, s, protocol) for s, _, run in runs],
        ignore_index=True,
    )
    found = summarize(ours, sequences, protocol)

    assert list(ours.columns) == list(report.columns)
    columns = [column for column in report.columns if column != "session_id"]
    if len(report):
        pandas.testing.assert_frame_equal(
            ours[columns], report[columns], check_dtype=False, rtol=0, atol=1e-9
        )
    else:
        assert len(ours) == 0
    assert found.auc == pytest.approx(summary["auc"], abs=1e-9)
    assert found.j_and_f_at_60s == pytest.approx(
        summary["metric_at_threshold"]["J_AND_F"], abs=1e-9
    )
    assert found.seconds == pytest.approx(summary["curve"]["time"], abs=1e-9)
    assert found.j_and_f == pytest.approx(summary["curve"]["J_AND_F"], abs=1e-9)
    assert found.j_and_f == pytest.approx(np.add(found.j, found.f) / 2, abs=1e-9)


def test_official_metrics_give_the_same_report(root: Path, clock: SimpleNamespace) -> None:
    (two, _) = read_root(root)
    ours, official = (
        run_sample(
            two, 1, Player(2, clock), Protocol(ROUNDS, official_metrics=official), root / "scratch"
        )
        for official in (False, True)
    )
    for column in ("jaccard", "contour", "j_and_f", "frame", "object_id", "timing"):
        np.testing.assert_allclose(
            ours.report[column].astype(float), official.report[column].astype(float), atol=1e-9
        )
    assert ours.rounds == official.rounds


def test_the_robot_sees_what_it_would_see(davisinteractive: ModuleType, root: Path) -> None:
    """It is shown one frame, and its strokes are those it draws when it is shown the clip."""
    (two, _) = read_root(root)
    drawn: list[Any] = []

    def segment(scribbles: Scribbles) -> LabelMaps:
        drawn.append(scribbles)
        return masks(2, len(drawn) - 1)

    run = run_sample(two, 1, segment, Protocol(ROUNDS), root / "scratch")
    robot = davisinteractive.robot.InteractiveScribblesRobot(
        **davisinteractive.evaluation.service.ROBOT_DEFAULT_PARAMETERS
    )
    assert run.rounds[0].annotated_frames == [1]
    for played, scribbles in enumerate(drawn[1:]):
        (frame,) = scribbles.annotated_frames
        expected = robot.interact("two", masks(2, played), two.truth(), nb_objects=2, frame=frame)
        assert len(scribbles.strokes[frame]) == len(expected["scribbles"][frame]) > 0
        for stroke, theirs in zip(
            scribbles.strokes[frame], expected["scribbles"][frame], strict=True
        ):
            assert stroke.object_id == theirs["object_id"]
            np.testing.assert_array_equal(stroke.path, theirs["path"])


def test_the_worst_frame_is_of_the_last_round_that_counts(
    root: Path, clock: SimpleNamespace
) -> None:
    (_, one) = read_root(root)
    protocol = Protocol(ROUNDS, seconds=2)  # 6 s, where 2 + 3 + 4 are wanted
    run = run_sample(one, 1, Player(1, clock), protocol, root / "scratch")

    last = run.report[run.report.interaction == 2]
    assert run.report.interaction.max() == 2
    assert len(run.rounds) == 3
    assert last.j_and_f[last.frame == run.worst_frame].item() == last.j_and_f.min()
    np.testing.assert_array_equal(run.worst_mask, masks(1, 1)[run.worst_frame])


def test_the_packages_table_is_left_as_it_was(davisinteractive: ModuleType, root: Path) -> None:
    davis = davisinteractive.dataset.Davis
    before = {name: getattr(davis, name) for name in ("sets", "dataset", "load_annotations")}

    def fail(scribbles: Scribbles) -> LabelMaps:
        raise RuntimeError("a method with a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        run_sample(read_root(root)[0], 1, fail, Protocol(), root / "scratch")
    assert all(getattr(davis, name) is value for name, value in before.items())
