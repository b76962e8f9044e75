"""One sample of the interactive benchmark, through the real session, service and robot.

A sample is a sequence with one of its first rounds. The package runs all samples of a subset one
after the other; here each has a session of its own, so that samples can run side by side and an
interrupted evaluation can go on. `summarize` puts their reports together again, with the
package's own arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from vostool.davis import compat
from vostool.davis.metrics import LabelMaps, Scores, f_measure, jaccard
from vostool.davis.root import DavisSequence
from vostool.masks import Mask
from vostool.scribbles import Scribbles, parse_scribbles

SUBSET = "val"
"""What our table of sequences is called to the package, which knows a few names only."""

Segment: TypeAlias = Callable[[Scribbles], LabelMaps]
"""A method under test, with what it has learnt of a sample: a round's scribbles in, masks out."""
Report: TypeAlias = Any
"""The package's report: a pandas table, a row a frame, object, round and sample."""


@dataclass(frozen=True)
class Protocol:
    """How long a sample goes on, and who computes J and F.

    The defaults are those of the DAVIS Challenge 2019 and of the paper's section 3.

    Attributes:
        rounds: of scribbles a sample.
        seconds: for each round and object, scoring and robot included.
        official_metrics: take the package's own J and F; the numbers are the same.
    """

    rounds: int = 8
    seconds: int = 30
    official_metrics: bool = False

    @property
    def seconds_per_object(self) -> int:
        """What a sample may take in all, an object."""
        return self.rounds * self.seconds


@dataclass(frozen=True)
class Round:
    """What the report does not tell of a round.

    Attributes:
        annotated_frames: the frames whose scribbles it began with.
        elapsed: seconds from the sample's start to its masks.
    """

    annotated_frames: list[int]
    elapsed: float


@dataclass(frozen=True)
class SampleRun:
    """One finished sample.

    Attributes:
        report: the package's, of this sample.
        rounds: the rounds, those whose masks came too late included.
        worst_frame: the frame with the least J&F in the last round that counted.
        worst_mask: what was submitted for it.
    """

    report: Report
    rounds: list[Round]
    worst_frame: int
    worst_mask: Mask


def run_sample(
    sequence: DavisSequence,
    number: int,
    segment: Segment,
    protocol: Protocol,
    scratch: Path,
    *,
    next_frame: Callable[[], int | None] = lambda: None,
) -> SampleRun:
    """Let a method play one sample through the real session.

    Args:
        sequence: the annotated clip.
        number: which of its first rounds to begin with, from 1.
        segment: the method, new to the sample.
        protocol: how long it goes on.
        scratch: a folder of this sample's own, where the session keeps its report as it goes.
        next_frame: asked after a round where the robot is to scribble; None is where the masks are
            worst, which it knows by the truth.

    Raises:
        DavisInteractiveError: the package is not installed.
    """
    package = compat.load()
    rounds: list[Round] = []
    accepted = np.zeros((sequence.frames, *sequence.clip.size), np.uint8)
    with (
        _table(package, [sequence]),
        _metrics(package, protocol.official_metrics),
        package.session.DavisInteractiveSession(
            user_key="vostool",
            davis_root=str(sequence.root),
            subset=SUBSET,
            max_time=protocol.seconds_per_object,
            max_nb_interactions=protocol.rounds,
            report_save_dir=str(scratch),
        ) as session,
    ):
        session.samples = [(sequence.name, number)]
        robot = session.connector.service.robot
        robot.interact = _looking_at_one_frame(robot.interact)
        while session.next():
            _, document, _ = session.get_scribbles(only_last=True)
            scribbles = parse_scribbles(document, f"round {len(rounds) + 1} of {sequence.name}")
            masks = segment(scribbles)
            elapsed = _now(package) - session.sample_start_time
            rounds.append(Round(scribbles.annotated_frames, elapsed))
            frame = next_frame()
            session.submit_masks(masks, None if frame is None else [frame])
            if elapsed <= protocol.seconds_per_object * sequence.objects:
                accepted = masks
        report = session.get_report()
    last = report[report.interaction == report.interaction.max()]
    worst = int(last.groupby("frame").j_and_f.mean().idxmin()) if len(last) else 0
    return SampleRun(report, rounds, worst, accepted[worst])


@dataclass(frozen=True)
class Summary:
    """What the package makes of a report.

    Attributes:
        auc: area under J&F over time, as a share of the time there was.
        j_and_f_at_60s: J&F after 60 seconds, between rounds on a straight line.
        seconds: (rounds + 2) of the curve: 0, after each round, and when time is up.
        j, f, j_and_f: (rounds + 2) of the curve: 0, after each round, and the last again.
    """

    auc: float
    j_and_f_at_60s: float
    seconds: list[float]
    j: list[float]
    f: list[float]
    j_and_f: list[float]


def summarize(report: Report, sequences: Sequence[DavisSequence], protocol: Protocol) -> Summary:
    """Summarise samples' reports, one under the other, with the package's own arithmetic.

    A round that was not played, since time was up, counts as the one before it did; a sample of
    which nothing counted is 0.
    """
    package = compat.load()

    def by(metric: str) -> dict[str, Any]:
        service = package.evaluation.EvaluationService(
            SUBSET,
            davis_root=str(sequences[0].root),
            max_t=protocol.seconds_per_object,
            max_i=protocol.rounds,
            metric_to_optimize=metric,
        )
        summary: dict[str, Any] = service.summarize_report(report)
        return summary

    with _table(package, sequences):
        both = by("J_AND_F")
        return Summary(
            auc=float(both["auc"]),
            j_and_f_at_60s=float(both["metric_at_threshold"]["J_AND_F"]),
            seconds=both["curve"]["time"],
            j=by("J")["curve"]["J"],
            f=by("F")["curve"]["F"],
            j_and_f=both["curve"]["J_AND_F"],
        )


def charge(
    report: Report,
    rounds: Sequence[Round],
    seconds: float,
    sequence: DavisSequence,
    protocol: Protocol,
) -> Report:
    """A sample's report, had its first round also taken some seconds more.

    Rounds that would then have come too late are dropped, as the session drops them.

    Args:
        report: of one sample.
        rounds: of that sample.
        seconds: to be added.
        sequence: the sample's sequence.
        protocol: which tells the time there is.
    """
    limit = protocol.seconds_per_object * sequence.objects
    in_time = [n for n, round_ in enumerate(rounds, 1) if round_.elapsed + seconds <= limit]
    charged = report[report.interaction.isin(in_time)].copy()
    charged.loc[charged.interaction == 1, "timing"] += seconds
    return charged


@contextmanager
def _table(package: Any, sequences: Sequence[DavisSequence]) -> Iterator[None]:
    """Let the package know these sequences, and them alone, instead of its built-in table."""
    by_name = {sequence.name: sequence for sequence in sequences}
    table = {
        name: {
            "num_frames": sequence.frames,
            "num_objects": sequence.objects,
            "num_scribbles": len(sequence.scribbles),
            "image_size": list(sequence.clip.size[::-1]),
        }
        for name, sequence in by_name.items()
    }
    truths: dict[str, LabelMaps] = {}

    def load_annotations(self: object, name: str) -> LabelMaps:
        if name not in truths:  # the service asks every round
            truths[name] = by_name[name].truth()
        return truths[name]

    with _replaced(
        package.dataset.Davis,
        sets={SUBSET: list(by_name)},
        dataset=table,
        check_files=lambda self, names: True,  # done by `read_root`; this one would download
        load_annotations=load_annotations,
        load_scribble=lambda self, name, number: by_name[name].first_round(number),
    ):
        yield


@contextmanager
def _metrics(package: Any, official: bool) -> Iterator[None]:
    """Have the service score with our J and F, unless the official ones are wanted."""

    def batched(score: Callable[[LabelMaps, LabelMaps, Sequence[int]], Scores]) -> Any:
        def batched_score(
            truth: LabelMaps, predicted: LabelMaps, average_over_objects: bool, nb_objects: int
        ) -> Scores:
            return score(truth, predicted, range(1, nb_objects + 1))

        return batched_score

    ours = {"batched_jaccard": batched(jaccard), "batched_f_measure": batched(f_measure)}
    with _replaced(package.evaluation.service, **({} if official else ours)):
        yield


def _looking_at_one_frame(interact: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The robot's answer for one frame, without its copying all the others as 64-bit numbers."""

    def interact_with_frame(
        sequence: str, predicted: LabelMaps, truth: LabelMaps, nb_objects: int, frame: int
    ) -> dict[str, Any]:
        here = slice(frame, frame + 1)
        document = interact(sequence, predicted[here], truth[here], nb_objects=nb_objects, frame=0)
        (strokes,) = document["scribbles"]
        scribbles: list[Any] = [[] for _ in truth]
        scribbles[frame] = strokes
        return {**document, "scribbles": scribbles}

    return interact_with_frame


@contextmanager
def _replaced(owner: Any, **attributes: object) -> Iterator[None]:
    """Give an object other attributes for a while."""
    before = {name: getattr(owner, name) for name in attributes}
    for name, value in attributes.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


def _now(package: Any) -> float:
    """The session's clock."""
    now: float = package.session.session.time.time()
    return now
