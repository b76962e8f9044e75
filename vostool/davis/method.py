"""vostool as the benchmark sees it: what runs once a clip, and what runs every round."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vostool import pipeline
from vostool.adapter import PRESETS, Adapter, Preset
from vostool.clips import Clip
from vostool.davis.metrics import LabelMaps
from vostool.davis.session import Segment
from vostool.pipeline import Progress, Say
from vostool.scribbles import Scribbles
from vostool.store import READS, FeatureStore


@dataclass(frozen=True)
class Heavy:
    """What the heavy stages of a clip were, and what they took.

    Attributes:
        seconds: from frames to stored features, by the run that made them.
        key: of the features that the classifier reads.
        stamps: what each stage was made from and by, by the stage's name.
    """

    seconds: float
    key: str
    stamps: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Method:
    """Backbone, perhaps the RNN, the ridge classifier and perhaps the decoder: one preset.

    Attributes:
        store: where features are kept.
        preset: how the adapter samples and fits, what it reads, and what its scores become.
        backbone: the network's name, or its weights.
        model: the RNN's weights, where the preset reads context.
        seed: of the random choice of background.
        device: where networks run.
    """

    store: Path
    preset: Preset = PRESETS["default"]
    backbone: str = "efficientnet-lite0"
    model: str = "rnn"
    seed: int = 0
    device: str = "auto"

    def prepare(self, clip: Clip, progress: Progress, say: Say) -> Heavy:
        """Run the heavy stages, or find them done; either way tell what they took.

        Raises:
            VostoolError: a frame cannot be read, weights are missing, the store is not writable.
        """
        store = FeatureStore(self.store)
        stages = [
            pipeline.extract(
                clip,
                store,
                backbone=self.backbone,
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
                    model=self.model,
                    device=self.device,
                    progress=progress,
                    say=say,
                )
            )
        return Heavy(
            seconds=sum(stage.seconds or 0.0 for stage in stages),
            key=store.features(clip.name, self.preset.features).stamp.key,
            stamps={stage.name: stage.stamp.as_dict() for stage in stages},
        )

    def begin(self, name: str) -> Segment:
        """A user's session on one clip, new to it.

        Args:
            name: the clip, whose features are stored.
        """
        store = FeatureStore(self.store)
        adapter: Adapter | None = None
        masks: LabelMaps | None = None

        def segment(scribbles: Scribbles) -> LabelMaps:
            nonlocal adapter, masks
            stage = store.features(name, self.preset.features)
            if masks is None:
                masks = np.zeros((stage.frames, *stage.facts.size), np.uint8)
            if not scribbles.annotated_frames:
                return masks  # the robot found nothing worth a stroke
            adapter = pipeline.adapt(
                name,
                store,
                [scribbles],
                preset=self.preset,
                earlier=adapter,
                seed=self.seed,
                device=self.device,
            )
            masks = np.stack(
                [mask for _, mask in pipeline.predict(adapter, stage, device=self.device)]
            )
            return masks

        return segment
