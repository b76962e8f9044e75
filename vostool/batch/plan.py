"""Which clips make up a job, and which jobs an array: plain functions of what is to be done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

GUESS = 60.0
"""Seconds that a stage of a clip is taken for, as long as none was measured."""
SHARE = 0.5
"""Of a job's limit, the part that its clips should take: some are slower than those measured."""


@dataclass(frozen=True)
class Work:
    """What is to be made of a clip.

    Attributes:
        clip: its name.
        source: its file or folder.
        stages: in their order.
    """

    clip: str
    source: str
    stages: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """Some clips that one process works through.

    Attributes:
        key: names the job within its batch, whatever its scheduler calls it.
        works: the clips, all with the same stages.
    """

    key: str
    works: tuple[Work, ...]


Chain = Sequence[Sequence[Job]]
"""Arrays of jobs, of a stage each; the K-th job of one follows the K-th of the one before."""


@dataclass(frozen=True)
class Pace:
    """How long clips take, by those that were made.

    Attributes:
        seconds: per byte of a clip's source, by stage; empty as long as nothing was measured.
    """

    seconds: Mapping[str, float]

    @classmethod
    def measured(cls, made: Iterable[tuple[str, float, int]]) -> Pace:
        """The pace of what was made.

        Args:
            made: the stage, its seconds, and the bytes of the clip's source, each.
        """
        sums: dict[str, tuple[float, int]] = {}
        for stage, seconds, size in made:
            before = sums.get(stage, (0.0, 0))
            sums[stage] = before[0] + seconds, before[1] + size
        return cls({stage: spent / size for stage, (spent, size) in sums.items() if size})

    def of(self, stage: str, size: int) -> float:
        """The seconds that a stage of a clip should take.

        Args:
            stage: one that was not measured is taken for the slowest that was.
            size: the bytes of the clip's source.
        """
        if not self.seconds or not size:
            return GUESS
        return size * self.seconds.get(stage, max(self.seconds.values()))


def group(
    works: Sequence[Work], sizes: Mapping[str, int], pace: Pace, seconds: float
) -> list[tuple[Work, ...]]:
    """Clips in groups of a length that is sensible for a job.

    Args:
        works: the clips.
        sizes: the bytes of each one's source.
        pace: how long each takes.
        seconds: that the slowest stage of a group may take; a longer clip is a group of its own.

    Returns:
        Groups of clips that have the same stages before them, in the clips' order.
    """
    groups: list[tuple[Work, ...]] = []
    by_stages = sorted(works, key=lambda work: work.stages)  # which keeps the order otherwise
    for stages, same in groupby(by_stages, key=lambda work: work.stages):
        current: list[Work] = []
        spent = 0.0
        for work in same:
            takes = max(pace.of(stage, sizes[work.clip]) for stage in stages)
            if current and spent + takes > seconds:
                groups.append(tuple(current))
                current, spent = [], 0.0
            current.append(work)
            spent += takes
        groups.append(tuple(current))
    return groups


def chains(groups: Sequence[tuple[Work, ...]], name: str, most: int) -> Iterator[Chain]:
    """Arrays for a scheduler: one a stage, of the same groups.

    Args:
        groups: by :func:`group`.
        name: with which keys begin.
        most: jobs that an array may have.
    """
    numbered = enumerate(groups)
    for stages, same in groupby(numbered, key=lambda pair: pair[1][0].stages):
        pairs = list(same)
        for start in range(0, len(pairs), most):
            part = pairs[start : start + most]
            yield [
                [
                    Job(f"{name}-{number}-{stage}", tuple(_only(work, stage) for work in works))
                    for number, works in part
                ]
                for stage in stages
            ]


def _only(work: Work, stage: str) -> Work:
    return Work(work.clip, work.source, (stage,))


def deal(works: Sequence[Work], hands: int, name: str) -> list[Job]:
    """Clips dealt to so many jobs at the same time, each with all its stages.

    Args:
        works: the clips.
        hands: how many jobs; fewer where there are fewer clips.
        name: with which keys begin.
    """
    dealt = [tuple(works[k::hands]) for k in range(hands)]
    return [Job(f"{name}-{k}", hand) for k, hand in enumerate(dealt) if hand]
