"""vostool as the benchmark sees it: what runs once a clip, and what runs every round."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vostool import pipeline
from vostool.adapter import PRESETS, Adapter, Preset
from vostool.backbones import DEFAULT, weights_fingerprint
from vostool.clips import Clip
from vostool.davis.metrics import LabelMaps
from vostool.davis.session import Segment
from vostool.errors import VostoolError
from vostool.pipeline import Progress, Refiner, Say
from vostool.refine.kept import InMemory
from vostool.scribbles import Scribbles
from vostool.store import READS, FeatureStore


@dataclass(frozen=True)
class Heavy:
    """What the heavy stages of a clip were, and what they took.

    Attributes:
        seconds: from frames to stored features, by the run that made them.
        key: of the features that the classifiers read.
        stamps: what each stage was made from and by, by the network's and the stage's name.
    """

    seconds: float
    key: str
    stamps: dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True)
class Model:
    """One whole model: a backbone and, where the preset reads context, an RNN.

    Attributes:
        backbone: the network.
        weights: its weights: a file, ``random``, or None to look where they are kept.
        rnn: the RNN's weights, by the name of shipped ones or a file.
    """

    backbone: str = DEFAULT
    weights: str | None = None
    rnn: str = "rnn"


@dataclass(frozen=True)
class Method:
    """One model or several whose scores are averaged, under one preset.

    Attributes:
        store: where features are kept.
        preset: how the adapter samples and fits, what it reads, and what its scores become.
        models: what is measured.
        seed: of the random choice of background.
        device: where networks run.
        refine: after which rounds masks travel from the annotated frames: ``none``, the ``last``
            (§3), or ``every``.
        refiner: by which network.
    """

    store: Path
    preset: Preset = PRESETS["default"]
    models: tuple[Model, ...] = (Model(),)
    seed: int = 0
    device: str = "auto"
    refine: str = "none"
    refiner: Refiner = field(default_factory=Refiner)

    def prepare(self, clip: Clip, progress: Progress, say: Say) -> Heavy:
        """Run the heavy stages, or find them done; either way tell what they took.

        Raises:
            VostoolError: a frame cannot be read, weights are missing, the store is not writable,
                or masks are to travel and there are several models.
        """
        if self.refine != "none":
            if len(self.models) > 1:
                raise VostoolError(
                    "masks travel by one model's scores; give one --backbone, or --refine none"
                )
            (model,) = self.models
            self.refiner.check(model.backbone, weights_fingerprint(model.backbone, model.weights))
        seconds, keys = 0.0, []
        stamps: dict[str, dict[str, dict[str, Any]]] = {}
        for model in self.models:
            pipeline.check_models(self.preset, model.backbone, model.weights, model.rnn)
        for model, store in zip(self.models, self._stores, strict=True):
            stages = [
                pipeline.extract(
                    clip,
                    store,
                    weights=model.weights,
                    device=self.device,
                    progress=progress,
                    say=say,
                )
            ]
            if "context" in READS[self.preset.features]:
                stages.append(
                    pipeline.propagate(
                        clip.name,
                        store,
                        model=model.rnn,
                        device=self.device,
                        progress=progress,
                        say=say,
                    )
                )
            seconds += sum(stage.seconds or 0.0 for stage in stages)
            keys.append(store.features(clip.name, self.preset.features).stamp.key)
            stamps[model.backbone] = {stage.name: stage.stamp.as_dict() for stage in stages}
        return Heavy(seconds, "+".join(keys), stamps)

    def begin(self, name: str, rounds: int) -> Segment:
        """A user's session on one clip, new to it.

        Args:
            name: the clip, whose features are stored.
            rounds: after how many it ends.
        """
        done = 0
        kept = InMemory()
        adapters: list[Adapter] = []
        masks: LabelMaps | None = None

        def segment(scribbles: Scribbles) -> LabelMaps:
            nonlocal adapters, masks, done
            done += 1
            stages = [store.features(name, self.preset.features) for store in self._stores]
            if masks is None:
                masks = np.zeros((stages[0].frames, *stages[0].facts.size), np.uint8)
            if not scribbles.annotated_frames:
                return masks  # the robot found nothing worth a stroke
            shown = dict(enumerate(masks)) if adapters else None
            every_earlier: list[Adapter | None] = [*adapters] or [None] * len(stages)
            adapters = [
                pipeline.adapt(
                    name,
                    store,
                    [scribbles],
                    preset=self.preset,
                    earlier=earlier,
                    shown=shown,
                    seed=self.seed,
                    device=self.device,
                )
                for store, earlier in zip(self._stores, every_earlier, strict=True)
            ]
            if self.refine == "every" or (self.refine == "last" and done == rounds):
                travelled = pipeline.refined(
                    adapters[0], self._stores[0], self.refiner, lambda of: kept
                )
                masks = np.stack([mask for _, mask in travelled])
                return masks
            fitted = list(zip(adapters, stages, strict=True))
            predicted = (
                pipeline.predict(*fitted[0], device=self.device)
                if len(fitted) == 1
                else pipeline.predict_together(fitted, device=self.device)
            )
            masks = np.stack([mask for _, mask in predicted])
            return masks

        return segment

    @property
    def _stores(self) -> list[FeatureStore]:
        return [FeatureStore(self.store, model.backbone) for model in self.models]
