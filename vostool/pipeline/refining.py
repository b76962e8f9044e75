"""From an adapter to refined masks: they travel from the annotated frames to their neighbours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vostool import refine
from vostool.adapter import Adapter
from vostool.backbones import file_fingerprint, find_public_weights
from vostool.errors import AdapterError, ClipError
from vostool.masks import Mask
from vostool.pipeline.labelling import find_labeller
from vostool.pipeline.masking import check_belongs, source_of
from vostool.pipeline.telling import Progress, quiet
from vostool.store import Features, FeatureStore, Readable
from vostool.weights import READS as TRAINED_ON
from vostool.weights import find_weights, fingerprint, read_facts

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vostool.clips import Frame
    from vostool.refine.kept import Kept
    from vostool.refine.travel import Propagator


@dataclass(frozen=True)
class Refiner:
    """By which network masks travel.

    Attributes:
        network: ``refine``, which ships with the package, or ``rgmp-resnet50``.
        weights: its weights: a file, ``random`` for the second, or None to look for them.
        device: where it runs.
    """

    network: str = refine.DEFAULT
    weights: str | None = None
    device: str = "auto"

    def check(self, network: str, read: object) -> None:
        """Make sure that it can run after a backbone: told before anything heavy does.

        Args:
            network: the backbone.
            read: the fingerprint of its weights.

        Raises:
            VostoolError: there is no such propagation network.
            WeightsError: its weights are missing.
            AdapterError: it was trained for other features.
        """
        refine.check_refiner(self.network)
        if self.network == refine.RGMP.name:
            find_public_weights(refine.RGMP, self.weights)
        elif read_facts(self._shipped()).get(TRAINED_ON) != read:
            raise AdapterError(
                f"{network}: the propagation network {refine.DEFAULT!r} reads other features; use "
                f"--refiner {refine.RGMP.name}, which reads frames, or the default backbone"
            )

    @property
    def identity(self) -> str:
        """The network and its weights, in a word.

        Raises:
            WeightsError: they are missing.
        """
        if self.network == refine.RGMP.name:
            weights = file_fingerprint(find_public_weights(refine.RGMP, self.weights))
        else:
            weights = fingerprint(self._shipped())
        return f"{self.network} {weights}"

    def _shipped(self) -> Path:
        return find_weights(self.weights or refine.DEFAULT)

    def propagator(self, adapter: Adapter, stage: Readable, store: FeatureStore) -> Propagator:
        """The network, ready to carry an adapter's masks through a clip.

        Args:
            adapter: whose masks.
            stage: what it reads.
            store: that has the backbone's features, too.
        """
        from vostool.pipeline.making import find_device

        device = find_device(self.device)
        refine.check_refiner(self.network)
        if self.network == refine.RGMP.name:
            return self._of_frames(adapter, stage, device)
        return self._of_features(adapter, stage, store, device)

    def _of_features(
        self, adapter: Adapter, stage: Readable, store: FeatureStore, device: torch.device
    ) -> Propagator:
        from vostool.refine.stored import StoredPropagator

        backbone = store.stage(stage.clip_name, "backbone")
        self.check(store.network, backbone.stamp.made_from.get("weights"))
        # A classifier that reads the context alone gives the backbone's features no weight.
        alone = stage.name == "context"
        read = store.features(stage.clip_name, "both") if alone else stage
        W = adapter.W
        if alone:
            W = np.concatenate([np.zeros((backbone.pyramid.channels, W.shape[1])), W])
        return StoredPropagator(
            backbone.pyramid,
            adapter.object_ids[1:],
            read.read,
            _logits_at_finest(adapter, read, W, device),
            self._shipped(),
            device,
        )

    def _of_frames(self, adapter: Adapter, stage: Readable, device: torch.device) -> Propagator:
        from vostool.decoder.network import SCORE_GAIN
        from vostool.refine.rgmp import FramePropagator

        clip = source_of(stage)
        labeller = find_labeller(stage, adapter.preset, adapter.W, adapter.object_ids, self.device)
        gain = np.float32(1.0 if adapter.preset.decoder else SCORE_GAIN)

        def frames(start: int, stop: int) -> list[Frame]:
            found = list(islice(clip.frames(start), stop - start))
            if len(found) < stop - start or found[0].shape[:2] != stage.facts.size:
                raise ClipError(
                    f"{stage.facts.source}: has other frames than when its features were made; "
                    "run vostool extract on it again"
                )
            return found

        def classify(start: int, stop: int) -> npt.NDArray[np.float32]:
            return gain * labeller.scores(stage.read(start, stop))

        weights = find_public_weights(refine.RGMP, self.weights)
        return FramePropagator(adapter.object_ids[1:], frames, classify, weights, device)


def refined(
    adapter: Adapter,
    store: FeatureStore,
    refiner: Refiner,
    kept: Callable[[str], Kept],
    *,
    progress: Progress = quiet,
) -> Iterator[tuple[int, Mask]]:
    """Refined masks of every frame, in order, made when the first is asked for.

    Args:
        adapter: the classifier, with the strokes that it was fitted to.
        store: the features.
        refiner: by which network masks travel.
        kept: opens what is kept of an earlier refinement, by a word that tells what it is of.
        progress: told of frames done.

    Raises:
        AdapterError: the adapter has no strokes, or strokes on frames that the clip does not have,
            or belongs to other features.
        StoreError: features are missing or damaged.
    """
    from vostool.refine.travel import Travel

    provenance = adapter.provenance
    store = replace(store, network=provenance.network)
    stage = store.features(provenance.clip, provenance.stage)
    check_belongs(adapter, stage)
    check_strokes(adapter, stage)
    propagator = refiner.propagator(adapter, stage, store)
    what = [stage.stamp.key, list(adapter.object_ids), refiner.identity]
    of = hashlib.blake2b(json.dumps(what).encode(), digest_size=10).hexdigest()
    travel = Travel(propagator, adapter.strokes, stage.facts.size, stage.frames, kept(of))
    travel.run(progress)
    stage.check_unchanged()
    yield from travel.masks()


def check_strokes(adapter: Adapter, stage: Readable) -> None:
    """Make sure that there are annotated frames to begin at.

    Raises:
        AdapterError: there is none, or it is not one of the clip's.
    """
    clip, frames = adapter.provenance.clip, adapter.strokes.frame
    if not len(frames):
        raise AdapterError(
            f"the adapter of {clip} has no annotated frame, so there is none to start from; "
            f"fit it to scribbles with: vostool adapt {clip} --scribbles FILE"
        )
    if frames.max() >= stage.frames or frames.min() < 0:
        raise AdapterError(
            f"the adapter of {clip} has strokes on frame {frames.max()}, the clip has "
            f"{stage.frames} frames; fit it again with: vostool adapt {clip}"
        )


def _logits_at_finest(
    adapter: Adapter, stage: Readable, W: npt.NDArray[np.float64], device: torch.device
) -> Callable[[Features], Tensor]:
    """Makes the classifier's logits (T, K, h, w) of features, by the decoder if there is one."""
    import torch

    from vostool.decoder.network import SCORE_GAIN
    from vostool.decoder.scores import Scoring

    if adapter.preset.decoder:
        from vostool.decoder.labelling import Decoding

        return Decoding(stage.pyramid, W, adapter.object_ids, device).logits
    scoring = Scoring(stage.pyramid, W, device)

    def logits(features: Features) -> Tensor:
        levels = [torch.from_numpy(level).to(device).float() for level in features]
        return scoring(levels) * SCORE_GAIN

    return logits
