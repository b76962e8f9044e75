"""A whole training: its data, its recipe, the loop, and the weights it leaves."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vostool.backbones import DEFAULT, find_network
from vostool.checkpoints import SUFFIX, fingerprint
from vostool.errors import WeightsError
from vostool.files import replacing
from vostool.outputs import check_names_free
from vostool.pipeline.progress import Progress, Say
from vostool.pipeline.runtime import find_device
from vostool.training.data import Source, open_photos, open_videos
from vostool.training.loss_curve import draw_losses
from vostool.training.recipes import RECIPES, Setting
from vostool.training.sampler import ShotSampler
from vostool.training.scenes import Beside, scenes
from vostool.training.trainer import CHECKPOINT, LOG, Schedule, train
from vostool.training.trainer import Progress as TrainingProgress

CURVE, SETTINGS = "loss.png", "settings.json"


@dataclass(frozen=True)
class Training:
    """What decides a training's result.

    Attributes:
        recipe: one of :data:`vostool.training.recipes.RECIPES`.
        videos, photos: the roots of its data.
        hold_back: every n-th sequence of videos is left out, to choose by; 0 takes all.
        init: the folder of the training to begin from, or None for ImageNet's weights.
        frames, size: of a shot; the size is (H, W).
        seed: of everything drawn, and of first weights.
        schedule: how long, and how fast.
        options: the recipe's own, by name.
    """

    recipe: str
    videos: tuple[Path, ...]
    photos: tuple[Path, ...]
    hold_back: int
    init: Path | None
    frames: int
    size: tuple[int, int]
    seed: int
    schedule: Schedule
    options: dict[str, Any] = field(default_factory=dict)

    def run(
        self, out: Path, *, device: str, bar: Progress, progress: TrainingProgress, say: Say
    ) -> list[Path]:
        """Train, from the folder's checkpoint on if it has one.

        Args:
            out: the folder for weights, checkpoint, log and curve.
            device: where it runs.
            bar: told of shots whose features are made beforehand.
            progress: told of iterations.
            say: told what a person should know.

        Returns:
            The files of weights.

        Raises:
            ClipError: there is no data.
            WeightsError: the folder holds another training, or ``init`` holds none.
        """
        roots = self._roots(say)
        shots = self._shots(roots)
        setting = Setting(
            ShotSampler(roots, self.frames, self.size, self.seed),
            find_device(device),
            self.seed,
            self.schedule.iterations,
            self.init,
            _digest(shots),
            out,
        )
        task = RECIPES[self.recipe].load()(setting, **self.options)
        settings = {"recipe": self.recipe, **shots, **self._own_options(), **task.settings}
        out.mkdir(parents=True, exist_ok=True)
        if not (out / SETTINGS).exists():
            with replacing(out / SETTINGS) as tmp:
                tmp.write_text(json.dumps(settings, indent=1) + "\n")
        task.prepare(bar)
        with closing(task):
            train(task.network, task.step, self.schedule, out, settings, progress)
        written = task.write(out)
        draw_losses(out / LOG, out / CURVE)
        return written

    def _roots(self, say: Say) -> list[list[Source]]:
        alike = RECIPES[self.recipe].alike
        roots: list[list[Source]] = []
        for root in self.photos:
            photos = open_photos(root)
            roots += [list(photos), list(scenes(photos))] if alike else [list(photos)]
        for root in self.videos:
            videos = open_videos(root)
            back = videos[:: self.hold_back] if self.hold_back else []
            if back:
                say(f"held back: {', '.join(video.name for video in back)}")
            taken = [video for video in videos if video not in back]
            roots.append(list(taken))
            if alike:
                roots.append([Beside(video) for video in taken])
        if not all(roots) or not roots:
            raise WeightsError("nothing to train on; give --videos or --photos, hold less back")
        return roots

    def _shots(self, roots: list[list[Source]]) -> dict[str, Any]:
        """All that decides the shots and their features; data by name, wherever they lie."""
        names = "\n".join(source.name for root in roots for source in root)
        backbone = self.options.get("backbone", DEFAULT)
        init = {}
        if self.init is not None:
            init = {file.name: fingerprint(file) for file in self.init.glob(f"*{SUFFIX}")}
        return {
            "backbone": backbone,
            "weights": find_network(backbone).fingerprint(self.options.get("weights")),
            "data": _digest(names),
            "init": init,
            "frames": self.frames,
            "size": list(self.size),
            "seed": self.seed,
        }

    def _own_options(self) -> dict[str, Any]:
        """The recipe's options, but for those that :meth:`_shots` tells of by hash, and what
        decides nothing."""
        told = ("backbone", "weights", "workers")
        return {name: value for name, value in self.options.items() if name not in told}


def check_folder(out: Path, resume: bool) -> None:
    """Make sure that a folder is for this training.

    Raises:
        WeightsError: it holds a training and this is not to go on with it, or the other way round.
        OutputError: it holds the user's files under names that a training writes.
    """
    weights = [f"{name}{SUFFIX}" for name in ("backbone", "rnn", "decoder", "refine")]
    check_names_free(out, [LOG, CURVE, *weights], proof=SETTINGS)
    there = (out / CHECKPOINT).exists()
    if there and not resume:
        raise WeightsError(f"{out}: holds a training; go on with --resume, or name another --out")
    if resume and not there:
        raise WeightsError(f"{out}: no training to go on with; leave --resume out to begin one")


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
