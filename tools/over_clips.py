"""How good an adapter is on clips that it never saw, against one fitted on the clip itself.

    python tools/over_clips.py --davis-root DAVIS --halves car-shadow,dog --kind dog,dog-agility

Prints Markdown tables of J&F over all frames, the preset ``default``, by first rounds of the root's
robot. *Halves*: the two halves of a sequence's frames are clips of their own, each with a round on
it; an adapter of one is applied to the other. The columns: fitted on the half itself; on the other
half; and on the other half, where both are one clip, so that labels are carried over. *Kinds*:
sequences that show the same kind of thing, each with a round in its middle. The columns: fitted on
the clip itself; on the worst and on the best of the others alone; on all others; and on all others
and then on the clip, too. Nothing is chosen by it, so val may be among the sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from vostool import Adapter, OpenClip, Scribbles, Session, adapt
from vostool.clips import open_clip
from vostool.davis.metrics import f_measure, jaccard
from vostool.davis.root import DavisSequence, read_root
from vostool.scribbles import parse_scribbles
from vostool.store import FeatureStore

MIDDLE, FIRST_HALF, SECOND_HALF = 1, 2, 3
"""Which of a sequence's first rounds lies where."""


@dataclass(frozen=True)
class Part:
    """Some frames of a sequence as a clip.

    Attributes:
        sequence: the sequence.
        name: the clip's in the store.
        frames: which of the sequence's.
        round: the number of the first round that is drawn on it.
    """

    sequence: DavisSequence
    name: str
    frames: range
    round: int

    def scribbles(self) -> Scribbles:
        """The round, by the part's frames."""
        file = self.sequence.scribbles[self.round - 1]
        document = self.sequence.first_round(self.round)
        strokes = document["scribbles"][self.frames.start : self.frames.stop]
        return parse_scribbles({**document, "scribbles": strokes}, str(file))

    def open(self, store: FeatureStore) -> OpenClip:
        """The clip."""
        chosen = (self.frames.start, self.frames.stop)
        clip = open_clip(self.sequence.clip.path, name=self.name, frames=chosen)
        return OpenClip(store.clip(self.name), clip)


def halves(sequence: DavisSequence) -> tuple[Part, Part]:
    """A sequence as two clips."""
    middle = sequence.frames // 2
    return (
        Part(sequence, f"{sequence.name}-1", range(middle), FIRST_HALF),
        Part(sequence, f"{sequence.name}-2", range(middle, sequence.frames), SECOND_HALF),
    )


def whole(sequence: DavisSequence, number: int = MIDDLE) -> Part:
    """A sequence as one clip."""
    return Part(sequence, sequence.name, range(sequence.frames), number)


@dataclass(frozen=True)
class Bench:
    """Fits adapters and scores their masks.

    Attributes:
        store: the features.
    """

    store: FeatureStore

    def fit(self, parts: Sequence[Part], earlier: Adapter | None = None) -> Adapter:
        """An adapter of a round on each of some clips."""
        return adapt([(p.open(self.store), p.scribbles()) for p in parts], adapter=earlier)

    def score(self, adapter: Adapter, part: Part, frames: range | None = None) -> float:
        """J&F of an adapter's masks of a clip, or of some of the sequence's frames in it."""
        session: Session = part.open(self.store).session(adapter=adapter)
        masks: npt.NDArray[np.uint8] = np.stack([mask for _, mask in session.masks()])
        chosen = frames or part.frames
        found = masks[chosen.start - part.frames.start : chosen.stop - part.frames.start]
        truth = part.sequence.truth()[chosen.start : chosen.stop]
        ids = list(range(1, part.sequence.objects + 1))
        return float((jaccard(truth, found, ids) + f_measure(truth, found, ids)).mean() / 2)

    def halves(self, sequence: DavisSequence) -> list[float]:
        """Of a sequence, both ways averaged: on itself, on the other half, and carried over."""
        rows = []
        parts = halves(sequence)
        for target, other in (parts, parts[::-1]):
            carried = whole(sequence, other.round)
            rows.append(
                [
                    self.score(self.fit([target]), target),
                    self.score(self.fit([other]), target),
                    self.score(self.fit([carried]), carried, target.frames),
                ]
            )
        return [float(score) for score in np.mean(rows, axis=0)]

    def kind(self, sequences: Sequence[DavisSequence]) -> Iterator[tuple[str, list[float]]]:
        """Of each sequence of a kind: on itself, worst and best other, all others, and itself."""
        for target in map(whole, sequences):
            others = [whole(one) for one in sequences if one.name != target.name]
            alone = [self.score(self.fit([one]), target) for one in others]
            adapter = self.fit(others)
            every = self.score(adapter, target) if len(others) > 1 else alone[0]
            further = self.score(self.fit([target], adapter), target)
            own = self.score(self.fit([target]), target)
            yield target.name, [own, min(alone), max(alone), every, further]


@click.command()
@click.option("--davis-root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--halves", metavar="SEQ,SEQ,...", help="Sequences to cut in two.")
@click.option("--kind", "kinds", multiple=True, metavar="SEQ,SEQ,...", help="Alike sequences.")
@click.option("--store", default=Path("vostool-store"), type=click.Path(path_type=Path))
def main(davis_root: Path, halves: str | None, kinds: tuple[str, ...], store: Path) -> None:
    """Print the tables."""
    bench = Bench(FeatureStore(store))
    if halves:
        _head("half of", "itself", "the other half", "the other half, carried over")
        for sequence in read_root(davis_root, names=halves.split(",")):
            _row(sequence.name, bench.halves(sequence))
    if kinds:
        _head("", "itself", "worst other", "best other", "all others", "others, then itself")
    for kind in kinds:
        for name, scores in bench.kind(read_root(davis_root, names=kind.split(","))):
            _row(name, scores)


def _head(*heads: str) -> None:
    click.echo(f"\n| {' | '.join(heads)} |\n|---|{'---|' * (len(heads) - 1)}")


def _row(name: str, scores: Sequence[float]) -> None:
    click.echo(f"| {name} | {' | '.join(f'{score:.3f}' for score in scores)} |")


if __name__ == "__main__":
    main()
