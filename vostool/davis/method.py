"""vostool as the benchmark sees it: what runs once a clip, and what runs every round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vostool.clips import Clip
from vostool.davis.metrics import LabelMaps
from vostool.davis.session import Segment
from vostool.errors import VostoolError
from vostool.mask_propagation import Refiner
from vostool.mask_propagation.cache import MemoryCache
from vostool.pipeline.compatibility import check_models
from vostool.pipeline.preparation import Model, prepare
from vostool.pipeline.progress import Progress, Say
from vostool.presets import PRESETS, Preset
from vostool.scribbles import Scribbles
from vostool.session import Session
from vostool.store import FeatureStore


@dataclass(frozen=True)
class PreparedClip:
    """What the stages that run once a clip were, and what they took.

    Attributes:
        seconds: from frames to stored features, by the run that made them.
        key: of the features that the classifiers read.
        cache_keys: what each stage was made from and by, by the network's and the stage's name.
    """

    seconds: float
    key: str
    cache_keys: dict[str, dict[str, dict[str, Any]]]


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
        refiner: by which masks travel then.
    """

    store: Path | str
    preset: Preset = PRESETS["default"]
    models: tuple[Model, ...] = (Model(),)
    seed: int = 0
    device: str = "auto"
    refine: str = "none"
    refiner: Refiner = field(default_factory=Refiner)

    def prepare(self, clip: Clip, progress: Progress, say: Say) -> PreparedClip:
        """Run the stages that depend on the clip alone, or find them done; tell what they took.

        Raises:
            VostoolError: a frame cannot be read, weights are missing, the store is not writable,
                or masks are to travel and there are several models.
        """
        if self.refine != "none":
            if len(self.models) > 1:
                raise VostoolError(
                    "masks travel by one model's scores; give one --backbone, or --refine none"
                )
            self.refiner.check()

        @contextmanager
        def bar(what: str) -> Iterator[Progress]:
            yield progress

        for model in self.models:
            check_models(self.preset, model.backbone, model.weights, model.rnn)
        stored = FeatureStore(self.store).clip(clip.name)
        seconds, keys = 0.0, []
        cache_keys: dict[str, dict[str, dict[str, Any]]] = {}
        for model in self.models:
            stages = prepare(clip, stored, model, self.preset, bar=bar, say=say, device=self.device)
            seconds += sum(stage.seconds for stage in stages)
            features = stored.features(model.backbone, self.preset.features)
            keys.append(features.cache_key.digest)
            cache_keys[model.backbone] = {stage.kind: stage.cache_key.as_dict() for stage in stages}
        return PreparedClip(seconds, "+".join(keys), cache_keys)

    def begin(self, name: str, rounds: int) -> Segment:
        """A user's session on one clip, new to it.

        Args:
            name: the clip, whose features are stored.
            rounds: after how many it ends.
        """
        stored = FeatureStore(self.store).clip(name)
        session = Session(
            [stored.features(model.backbone, self.preset.features) for model in self.models],
            preset=self.preset,
            seed=self.seed,
            device=self.device,
            clip=stored,
        )
        cache = MemoryCache()
        masks: LabelMaps = np.zeros((session.frames, *session.size), np.uint8)
        done = 0

        def segment(scribbles: Scribbles) -> LabelMaps:
            nonlocal masks, done
            done += 1
            if not scribbles.annotated_frames:
                return masks  # the robot found nothing worth a stroke
            session.add_scribbles(scribbles, previous_masks=dict(enumerate(masks)))
            if self.refine == "every" or (self.refine == "last" and done == rounds):
                made = session.refined_masks(self.refiner, lambda of: cache)
            else:
                made = session.masks()
            masks = np.stack([mask for _, mask in made])
            return masks

        return segment
