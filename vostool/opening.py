"""A clip opened by its file or by its name in a store: where a session begins."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from vostool.adapter import Adapter
from vostool.backbones import DEFAULT
from vostool.clips import Clip, open_clip
from vostool.errors import UsageError
from vostool.pipeline.context import RNN
from vostool.pipeline.extraction import NETWORK_HEIGHT
from vostool.pipeline.preparation import Bar, Model, prepare
from vostool.pipeline.progress import Say, progress_bar, say
from vostool.presets import Preset, find_preset
from vostool.reading import Reading
from vostool.session import MEMORY, Session
from vostool.store import FeatureStore, StoredClip

STORE_VARIABLE = "VOSTOOL_STORE"
DEFAULT_STORE = "vostool-store"


def open(
    source: str | Path,
    *,
    store: str | Path | FeatureStore | None = None,
    name: str | None = None,
    frames: tuple[int, int | None] = (0, None),
    strict: bool = False,
    reading: Reading = Reading(),  # noqa: B008 - it is frozen
) -> OpenClip:
    """Open a clip: a video file, images, or a name in the store.

    Args:
        source: the video file, the folder of images, the image of many pages, the pattern, such
            as ``shot_%04d.exr``, or the OME-Zarr image; or the name of a clip whose features are
            stored.
        store: the feature store; by default ``$VOSTOOL_STORE``, or else ``./vostool-store``.
        name: what the clip is called in the store; by default the file's or the folder's name.
        frames: the range of source frames to take, (start, stop), as Python counts them.
        strict: refuse a video that is cut off, a sequence that leaves numbers out, or an OME-Zarr
            that leaves chunks out; else the frames that are there are taken.
        reading: how pictures are made of what is there: deinterlaced, of another contrast, of
            one channel.

    Raises:
        ClipError: there is no such clip, or its first frame does not decode.
        ClipNameError: nothing can be called so in a store.
    """
    if store is None:
        store = os.environ.get(STORE_VARIABLE) or DEFAULT_STORE
    if not isinstance(store, FeatureStore):
        store = FeatureStore(store)
    if not Path(source).exists() and str(source) in store.names():
        return OpenClip(store.clip(str(source)))
    clip = open_clip(source, name=name, frames=frames, strict=strict, reading=reading)
    return OpenClip(store.clip(clip.name), clip)


@dataclass(frozen=True)
class OpenClip:
    """A clip and its place in a store.

    Attributes:
        stored: what the store holds of it.
        source: its frames; None where it was opened by its name in the store.
    """

    stored: StoredClip
    source: Clip | None = None

    @property
    def name(self) -> str:
        """What the clip is called in the store."""
        return self.stored.name

    def session(
        self,
        preset: str | Preset | None = None,
        *,
        adapter: Adapter | str | Path | None = None,
        features: str | None = None,
        backbone: str | None = None,
        weights: str | None = None,
        model: str = RNN,
        seed: int | None = None,
        device: str = "auto",
        network_height: int = NETWORK_HEIGHT,
        memory: int = MEMORY,
        bar: Bar = progress_bar,
        say: Say = say,
    ) -> Session:
        """Begin to scribble, or go on from an adapter; extracts and propagates what is missing.

        A clip that was opened by its name in the store is taken as it is there.

        Args:
            preset: ``default`` or ``paper``, or one of your own; an adapter has its own.
            adapter: what to go on from: an adapter, or its file.
            features: what the classifier reads: ``backbone``, ``context`` or ``both``; by default
                the preset's choice.
            backbone: the network.
            weights: its weights: a file, ``random``, or None to look where they are kept.
            model: the RNN's weights, by the name of shipped ones or a file.
            seed: of the random choice of background.
            device: where networks run: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            network_height: frames are brought to this for the network, twice as large at most.
            memory: bytes of features that are kept in memory, so that rounds need not read them
                again.
            bar: shows how far a stage is; by default on standard error.
            say: told what a person should know; by default on standard error.

        Raises:
            UsageError: what is asked for contradicts the adapter.
            AdapterError: the adapter belongs to other features, or the decoder does not read them.
            WeightsError: weights are missing, or are another network's.
            ClipError: the clip cannot be read as a whole.
            MissingStageError: features of a clip opened by its name are not in the store.
            OutputError: the store cannot be written to.
        """
        if isinstance(adapter, (str, Path)):
            adapter = Adapter.read(adapter)
        settings = Settings.of(
            preset=preset, features=features, backbone=backbone, seed=seed, adapter=adapter
        )
        if self.source is not None:
            prepare(
                self.source,
                self.stored,
                Model(settings.backbone, weights, model),
                settings.preset,
                bar=bar,
                say=say,
                device=device,
                network_height=network_height,
            )
        return Session(
            [self.stored.features(settings.backbone, settings.preset.features)],
            preset=settings.preset,
            adapters=[] if adapter is None else [adapter],
            seed=settings.seed,
            device=device,
            clip=self.stored,
            memory=memory,
        )


@dataclass(frozen=True)
class Settings:
    """What a session begins with.

    Attributes:
        preset: how to sample and fit, and what to read.
        backbone: the network whose features are read.
        seed: of the random choice of background.
    """

    preset: Preset
    backbone: str = DEFAULT
    seed: int = 0

    @classmethod
    def of(
        cls,
        *,
        preset: str | Preset | None = None,
        features: str | None = None,
        backbone: str | None = None,
        seed: int | None = None,
        adapter: Adapter | None = None,
    ) -> Settings:
        """What was asked for, and else the adapter's, or else the defaults.

        Raises:
            UsageError: what was asked for contradicts the adapter.
        """
        asked = preset if isinstance(preset, Preset) else find_preset(preset or "default")
        if features is not None:
            asked = replace(asked, features=features)
        if adapter is None:
            return cls(asked, backbone or DEFAULT, seed or 0)
        ours = adapter.preset if features is None else replace(adapter.preset, features=features)
        if preset is not None and replace(asked, features=ours.features) != ours:
            raise UsageError("the adapter was fitted with another preset; leave --preset out")
        provenance = adapter.provenance
        for option, value, inherited in (
            ("features", features, provenance.features),
            ("backbone", backbone, provenance.network),
            ("seed", seed, provenance.seed),
        ):
            if value is not None and value != inherited:
                raise UsageError(
                    f"the adapter was fitted with --{option} {inherited}; leave --{option} out"
                )
        return cls(adapter.preset, provenance.network, provenance.seed)
