"""The commands that are disturbed, on a clip of ten small frames, and a bench to run them on."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.faults.zygote import Fault, Outcome, Request

FRAMES, SIZE = 10, (48, 64)
REPOSITORY = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Step:
    """A command to disturb.

    Attributes:
        name: what it is.
        arguments: of vostool, with {root} for the folder of outputs and {given} for that of inputs.
    """

    name: str
    arguments: tuple[str, ...]


def _step(name: str, line: str) -> Step:
    return Step(name, tuple(line.split()))


PREPARATION = (
    _step("extract", "extract {given}/before --store {root}/store"),
    _step("propagate", "propagate before --store {root}/store"),
    _step("adapt", "adapt before --scribbles {given}/one.json --out {root}/before.h5"
          " --store {root}/store"),
    _step("render", "render --adapter {root}/before.h5 --out {root}/masks-before"
          " --store {root}/store"),
)  # fmt: skip
"""What is finished before anything is disturbed, and must stay as it is."""

STEPS = (
    _step("extract", "extract {given}/square --store {root}/store"),
    _step("propagate", "propagate square --store {root}/store"),
    _step("adapt", "adapt square --scribbles {given}/one.json --out {root}/square.h5"
          " --store {root}/store"),
    _step("render", "render --adapter {root}/square.h5 --out {root}/masks --overlay"
          " {root}/look.mp4 --store {root}/store"),
    _step("refine", "refine --adapter {root}/square.h5 --out {root}/masks-refined"
          " --refiner-weights random --store {root}/store"),
    _step("adapt again", "adapt square --scribbles {given}/two.json --out {root}/square.h5"
          " --store {root}/store"),
    _step("render again", "render --adapter {root}/square.h5 --out {root}/masks --overlay"
          " {root}/look.mp4 --store {root}/store"),
    _step("refine again", "refine --adapter {root}/square.h5 --out {root}/masks-refined"
          " --refiner-weights random --store {root}/store"),
    _step("segment", "segment {given}/square --name third --scribbles {given}/one.json --out"
          " {root}/masks-segment --store {root}/store"),
    _step("render over another's", "render --force --adapter {root}/square.h5 --out"
          " {root}/masks-another --store {root}/store"),
    _step("extract again", "extract {given}/square --height 32 --store {root}/store"),
)  # fmt: skip
"""Each in the state that those before it leave; those called again replace what is there."""


def make_inputs(given: Path) -> None:
    """Two clips of a square that moves, and two files of scribbles."""
    noise = np.random.default_rng(0).integers(0, 90, (*SIZE, 3))
    for name, slant in (("before", 1), ("square", 2)):
        (given / name).mkdir(parents=True)
        for t in range(FRAMES):
            frame = noise.copy()
            frame[..., 1] += 100
            frame[12 : 12 + 24, 4 + slant * t : 28 + slant * t] = (220, 30, 30)
            Image.fromarray(frame.astype(np.uint8)).save(given / name / f"{t:05d}.png")
    for name, left, annotated in (("one", 0.2, 2), ("two", 0.3, 5)):
        strokes = [
            {"path": [[left, 0.5], [left + 0.25, 0.5]], "object_id": 1},
            {"path": [[left + 0.1, 0.3], [left + 0.1, 0.7]], "object_id": 1},
            {"path": [[0.9, 0.1], [0.9, 0.9]], "object_id": 0},
        ]
        rounds = [strokes if t == annotated else [] for t in range(FRAMES)]
        (given / f"{name}.json").write_text(json.dumps({"scribbles": rounds}))
    (given / "painted").mkdir()
    marks = np.zeros(SIZE, np.uint8)
    marks[20:24, 12:30], marks[4:40, 58] = 1, 255
    Image.fromarray(marks).save(given / "painted" / "00002.png")


class Bench:
    """Runs commands on a folder of outputs, disturbed or not, one at a time or side by side.

    Args:
        place: a folder for it all.
        shim: the library to lie under each run.
    """

    def __init__(self, place: Path, shim: Path) -> None:
        self.place = place
        # Apart from the copies that are kept, which files that trade places must not reach.
        self.root, self.given = place / "outputs" / "root", place / "inputs" / "given"
        make_inputs(self.given)
        (self.root / "masks-another").mkdir(parents=True)  # which vostool did not make
        Image.fromarray(np.ones(SIZE, np.uint8)).save(self.root / "masks-another" / "mine.png")
        environment = {
            **os.environ,
            "LD_PRELOAD": str(shim),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONPATH": str(REPOSITORY),
            "CUDA_VISIBLE_DEVICES": "",
        }
        with (place / "zygote.err").open("wb") as words:
            self._zygote = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.zygote"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words,
                env=environment, cwd=REPOSITORY,
            )  # fmt: skip
        self._started = 0

    def close(self) -> None:
        """End it."""
        assert self._zygote.stdin
        self._zygote.stdin.close()
        self._zygote.wait()

    def arguments(self, step: Step) -> tuple[str, ...]:
        """A step's, with this bench's folders."""
        return tuple(word.format(root=self.root, given=self.given) for word in step.arguments)

    def start(
        self,
        *commands: Step,
        fault: Fault = Fault(),  # noqa: B008
        before: bool = False,
        after: bool = True,
        weights: Path | None = None,
    ) -> tuple[int, Request]:
        """Begin a run of some commands; :meth:`wait` gives what came of it."""
        self._started += 1
        request = Request(
            self.root, tuple(map(self.arguments, commands)), fault, before, after, weights,
            self.place / f"{self._started}.answer", self.place / f"{self._started}.err",
        )  # fmt: skip
        return self._ask("start", request), request

    def wait(self, pid: int, request: Request) -> Outcome:
        """What came of a run."""
        status = self._ask("wait", pid)
        outcome = Outcome(status=status)
        if request.answer.exists():
            outcome = pickle.loads(request.answer.read_bytes())
            request.answer.unlink()
        outcome.err = request.words.read_text(errors="replace")
        request.words.unlink()
        assert status != 99, outcome.err
        return outcome

    def run(self, *commands: Step, **how: Any) -> Outcome:
        """Run some commands, one after the other until one fails."""
        return self.wait(*self.start(*commands, **how))

    def save(self, name: str) -> Path:
        """Keep a copy of the outputs; :meth:`restore` brings them back."""
        kept = self.place / "kept" / name
        shutil.copytree(self.root, kept, symlinks=True)
        return kept

    def restore(self, kept: Path) -> None:
        """Make the outputs what they were."""
        shutil.rmtree(self.root)
        shutil.copytree(kept, self.root, symlinks=True)

    def _ask(self, kind: str, what: object) -> Any:
        assert self._zygote.stdin and self._zygote.stdout
        self._zygote.stdin.write(pickle.dumps((kind, what)))
        self._zygote.stdin.flush()
        return pickle.load(self._zygote.stdout)
