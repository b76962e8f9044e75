"""What suggestions are worth: J&F by round when the robot scribbles where a rule says.

    python tools/thin.py --davis-root DAVIS --out THIRD
    python tools/suggestions.py --davis-root THIRD --store store-third

Prints a Markdown table, a row a rule: J&F after each round of the interactive benchmark, and the
mean of the rounds from the second on, which are those that a rule has a part in. A round's strokes
are the robot's, on the frame that the rule names; ``worst`` leaves the choice to the robot, who
knows the truth. One first round a sequence is played. Nothing is chosen on ``val``: give it every
third frame of the training sequences that were held back (``tools/thin.py``), or composed scenes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import cv2
import numpy as np
import numpy.typing as npt

from vostool.cli.common import one_blas_thread

ROWS, COLUMNS = 14, 24
"""Of the grid of vertices that stands for a frame, in the rules of the classifier's scores."""
NEAR = 2
"""Steps of that grid that the neighbourhood of an object reaches."""
STROKE = 20
"""Vertices that the strokes on a frame touch, of this grid's."""


@dataclass(frozen=True)
class Known:
    """What a rule may look at after a round.

    Attributes:
        session: as far as it is.
        sure: (T,) how sure each frame's mask is.
        annotated: the frames with strokes.
        sequence: its name.
    """

    session: Any
    sure: npt.NDArray[np.float64]
    annotated: Sequence[int]
    sequence: str

    @property
    def away(self) -> npt.NDArray[np.float64]:
        """(T,) frames from the nearest one with strokes."""
        every = np.arange(len(self.sure))
        away = [np.abs(every - frame) for frame in self.annotated]
        return np.asarray(np.min(away, axis=0), float)

    def best(self, worth: npt.NDArray[np.floating]) -> int:
        """The frame of most worth that has no strokes yet, if there is one."""
        free = np.asarray(worth, float).copy()
        free[list(self.annotated)] = -np.inf
        return int(free.argmax())


def worst(known: Known) -> int | None:
    """The robot's own: the frame with the least J&F, which takes the truth."""
    return None


def even(known: Known) -> int:
    """As far from strokes as can be."""
    return known.best(known.away)


def random(known: Known) -> int:
    """Any frame without strokes."""
    seed = [*known.sequence.encode(), len(known.annotated)]
    return known.best(np.random.default_rng(seed).random(len(known.sure)))


def doubt(known: Known) -> int:
    """The least sure mask."""
    return known.best(1 - known.sure)


def suggest(known: Known) -> int:
    """What ``vostool suggest`` says: doubt on the frame and on those around."""
    (found,) = known.session.choose(dict(enumerate(known.sure.tolist())), 1)
    return int(found.frame)


def ridge(known: Known, *, varies: bool = True, close: bool = True) -> int:
    """The variance of the classifier's scores in closed form, by how close the two best are.

    With L the Cholesky factor of X Xᵀ + λ I (Eq. 3), the variance of a vertex's score is ‖L⁻¹x‖²
    times that of the labels. A frame is worth the mean of the vertices where it is largest, next to
    the objects: some strokes' worth.
    """
    (reader,), adapter = known.session._readers, known.session.adapter
    gram = adapter.statistics.gram + adapter.preset.ridge * np.eye(len(adapter.W))
    inverse = np.linalg.inv(np.linalg.cholesky(gram))
    pixels, worth = _grid(reader.metadata.size), []
    for frame in range(reader.frames):
        features = reader.pyramid.sample(reader.read_frame(frame), pixels)
        value = np.square(features @ inverse.T).sum(axis=1) if varies else np.ones(len(features))
        if close:
            value = value * _closeness(features @ adapter.W)
        worth.append(np.sort(value)[-STROKE:].mean())
    return known.best(np.array(worth))


def _grid(size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """The pixels (ROWS * COLUMNS, 2), x and y, of the vertices that stand for a frame (H, W)."""
    y, x = (
        ((np.arange(n) + 0.5) * length / n).astype(np.int64)
        for n, length in zip((ROWS, COLUMNS), size, strict=True)
    )
    return np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1).reshape(-1, 2)


def _closeness(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """(n,) in 0..1: how close a vertex's two best scores (n, K + 1) are, near objects; else 0."""
    best_two = np.sort(scores, axis=1)[:, -2:]
    close = np.asarray(np.clip(1 - (best_two[:, 1] - best_two[:, 0]), 0, 1), float)
    objects = (scores.argmax(axis=1) > 0).reshape(ROWS, COLUMNS).astype(np.uint8)
    if not objects.any():  # where it is missed, it may be anywhere
        return close
    near = cv2.dilate(objects, np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8))
    return np.asarray(np.where(near.ravel() > 0, close, 0), float)


def margin(known: Known) -> int:
    """How close the classifier's two best scores are."""
    return ridge(known, varies=False)


def variance(known: Known) -> int:
    """The variance of the classifier's scores alone."""
    return ridge(known, close=False)


RULES: dict[str, Callable[[Known], int | None]] = {
    "worst": worst,
    "even": even,
    "random": random,
    "variance": variance,
    "margin": margin,
    "ridge": ridge,
    "doubt": doubt,
    "suggest": suggest,
}


@click.command()
@click.option("--davis-root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--every", default=1, show_default=True, help="Take every n-th sequence.")
@click.option("--rounds", default=8, show_default=True)
@click.option("--rule", "rules", type=click.Choice(list(RULES)), multiple=True, default=list(RULES))
@click.option("--store", default=Path("vostool-store"), type=click.Path(path_type=Path))
def main(davis_root: Path, every: int, rounds: int, rules: tuple[str, ...], store: Path) -> None:
    """Print the table; a line a sequence and rule goes to standard error."""
    one_blas_thread()
    from vostool.davis.root import read_root
    from vostool.pipeline.progress import say

    scores: dict[str, list[list[float]]] = {rule: [] for rule in rules}
    for sequence in read_root(davis_root, say=say)[::every]:
        session = open_session(sequence, store)
        for rule in rules:
            scores[rule].append(play(RULES[rule], session, sequence, rounds))
            click.echo(f"{sequence.name} {rule}: {_figures([scores[rule][-1]])}", err=True)
    heads = ["rule", *(f"J&F {n}" for n in range(1, rounds + 1)), "mean from 2"]
    click.echo(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for rule, played in scores.items():
        click.echo(f"| {rule} | {_figures(played)} |")


def _figures(played: Sequence[Sequence[float]]) -> str:
    mean = np.mean(played, axis=0)
    return " | ".join(f"{score:.3f}" for score in (*mean, mean[1:].mean()))


def open_session(sequence: Any, store: Path) -> Any:
    """A session on a sequence, whose features are made if need be."""
    from vostool.pipeline.preparation import Model, prepare
    from vostool.pipeline.progress import progress_bar, say
    from vostool.presets import PRESETS
    from vostool.session import Session
    from vostool.store import FeatureStore

    preset, model = PRESETS["default"], Model()
    stored = FeatureStore(store).clip(sequence.name)
    prepare(sequence.clip, stored, model, preset, bar=progress_bar, say=say)
    return Session([stored.features(model.backbone, preset.features)], preset=preset)


def play(
    rule: Callable[[Known], int | None], session: Any, sequence: Any, rounds: int
) -> list[float]:
    """J&F after each round of one sample, through the real session, service and robot."""
    from vostool.davis.session import Protocol, run_sample

    annotated: list[int] = []
    masks = np.zeros((session.frames, *session.size), np.uint8)
    sure = np.zeros(session.frames)
    while session.rounds:
        session.undo()

    def segment(scribbles: Any) -> npt.NDArray[np.uint8]:
        nonlocal masks, sure
        if scribbles.annotated_frames:  # else the robot found nothing worth a stroke
            annotated.extend(scribbles.annotated_frames)
            session.add_scribbles(scribbles, previous_masks=dict(enumerate(masks)))
            made = [session.mask_with_confidence(frame) for frame in range(session.frames)]
            masks, sure = np.stack([mask for mask, _ in made]), np.array([one for _, one in made])
        return masks

    def next_frame() -> int | None:
        return rule(Known(session, sure, annotated, sequence.name))

    protocol = Protocol(rounds, seconds=3600)
    with TemporaryDirectory() as scratch:
        run = run_sample(sequence, 1, segment, protocol, Path(scratch), next_frame=next_frame)
    by_round = run.report.groupby("interaction").j_and_f.mean()
    return [float(by_round[n]) for n in range(1, rounds + 1)]


if __name__ == "__main__":
    main()
