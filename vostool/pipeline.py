"""Extract, propagate, adapt, render as plain functions: the Python API, and what the CLI calls.

torch is imported by the two heavy stages alone, so that adapting and rendering start fast.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from vostool import __version__
from vostool.adapter import (
    Adapter,
    Moments,
    Preset,
    Provenance,
    Samples,
    sample_round,
    solve,
)
from vostool.clips import Clip, Frame, open_clip
from vostool.errors import AdapterError, ClipError, VostoolError
from vostool.masks import Mask, mask_file, overlay, overlay_video, write_mask
from vostool.pyramid import Pyramid
from vostool.scribbles import Scribbles
from vostool.store import (
    ClipFacts,
    Features,
    FeatureStore,
    Stage,
    Stamp,
    unwritable,
    update_source,
)
from vostool.store.layout import CHUNK_FRAMES

if TYPE_CHECKING:
    import torch

Progress = Callable[[int, int], None]
"""Told (frames done, frames in all) as work goes on."""
Say = Callable[[str], None]
"""Told what a person should know: why a stage is made again, that a run waits."""

NETWORK_HEIGHT = 480
"""Taller frames are scaled down for the network: the method was made and measured at 480p."""


Item = TypeVar("Item")


def _quiet(*_: object) -> None:
    pass


def extract(
    clip: Clip,
    store: FeatureStore,
    *,
    backbone: str = "efficientnet-lite0",
    device: str = "auto",
    network_height: int = NETWORK_HEIGHT,
    progress: Progress = _quiet,
    say: Say = _quiet,
) -> Stage:
    """Run the backbone over a clip and keep its features; does nothing where they are there.

    Args:
        clip: the frames.
        store: where the features go, under the clip's name.
        backbone: the network's name.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        network_height: frames taller than this are scaled down for the network.
        progress: told of frames done.
        say: told why features are made again.

    Raises:
        ClipError: a frame cannot be read.
        WeightsError: the network's weights are missing.
        StoreError: the store cannot be written to.
    """
    from vostool.backbones import load_backbone, weights_fingerprint

    stamp = Stamp(
        {
            "clip": clip.fingerprint,
            "backbone": backbone,
            "weights": weights_fingerprint(backbone),
            "network_height": network_height,
        }
    )
    facts = ClipFacts(str(clip.path.resolve()), clip.start, clip.stop, clip.size, clip.fps)
    with store.lock(clip.name, lambda: say(f"{clip.name}: another run writes it; waiting")):
        begun = time.perf_counter()
        if stage := _already(store, clip.name, "backbone", stamp, say):
            update_source(stage, facts)
            return stage
        network = load_backbone(backbone, _device(device))
        network_size = _network_size(clip.size, network_height)
        stamp = replace(stamp, made_by=_made_by(device, network.precision))
        writer = store.writer(clip.name, "backbone", stamp, begun=begun)
        pyramid = Pyramid(clip.size, network_size, network.levels(*network_size))
        writer.begin(pyramid, facts)
        chunks = _ahead(_network_chunks(clip, writer.done, network_size))
        with ThreadPoolExecutor(1) as behind:  # writing goes on while the network runs
            written = None
            for frames in chunks:
                singly = [network.features(frame[None]) for frame in frames]
                features = [np.concatenate(level) for level in zip(*singly, strict=True)]
                if written is not None:
                    written.result()
                written = behind.submit(writer.append, features)
                progress(
                    writer.done + len(frames), max(clip.expected_frames, writer.done + len(frames))
                )
            if written is not None:
                written.result()
        return writer.finish()


def propagate(
    name: str,
    store: FeatureStore,
    *,
    device: str = "auto",
    progress: Progress = _quiet,
    say: Say = _quiet,
) -> Stage:
    """Run the spatio-temporal RNN over a clip's backbone features and keep the context features.

    Raises:
        StoreError: the clip has no backbone features, or the store cannot be written to.
    """
    from vostool.strnn.propagation import UNTRAINED, Propagation

    with store.lock(name, lambda: say(f"{name}: another run writes it; waiting")):
        begun = time.perf_counter()
        backbone = store.stage(name, "backbone")
        propagation = Propagation(backbone.pyramid, _device(device))
        say(f"{name}: {UNTRAINED}")
        stamp = Stamp(
            {"features": backbone.stamp.key, "model": propagation.fingerprint},
            _made_by(device, "float32"),
        )
        if stage := _already(store, name, "context", stamp, say):
            return stage
        writer = store.writer(name, "context", stamp, carries=True, begun=begun)
        writer.begin(propagation.pyramid, backbone.facts)
        propagation.take_up(writer.carried())
        for start in range(writer.done, backbone.frames, CHUNK_FRAMES):
            block = backbone.read(start, min(start + CHUNK_FRAMES, backbone.frames))
            writer.append([propagation.forward(block)], carried=propagation.state)
            progress(writer.done, backbone.frames)
        backbone.check_unchanged()
        return writer.finish()


def adapt(
    name: str,
    store: FeatureStore,
    rounds: list[Scribbles],
    *,
    preset: Preset,
    features: str = "backbone",
    earlier: Adapter | None = None,
    seed: int = 0,
) -> Adapter:
    """Fit the classifier of Eq. 3 to some rounds of scribbles, after those of an earlier adapter.

    Args:
        name: the clip's name in the store.
        store: the features.
        rounds: the new scribbles, a round each, in order.
        preset: how to sample and fit; an earlier adapter's samples keep theirs.
        features: the stage to read.
        earlier: the adapter to go on from.
        seed: of the random choice of negatives.

    Raises:
        StoreError: the features are missing.
        ScribbleError: the scribbles are not this clip's.
        AdapterError: the earlier adapter belongs to other features; there is nothing to tell apart.
    """
    stage = store.stage(name, features)
    samples, moments = Samples.none(), Moments.none(stage.pyramid.channels)
    if earlier is not None:
        check_belongs(earlier, stage)
        samples, moments = earlier.samples, earlier.moments
    W = None if earlier is None else earlier.W
    for scribbles in rounds:
        scribbles.check_against(stage.frames, stage.facts.size)
        annotated = {f: stage.read_frame(f) for f in scribbles.annotated_frames}
        predicted = {}
        if W is not None:
            labeller = Labeller(stage.pyramid, W, moments.object_ids)
            predicted = {f: labeller.mask(grids) for f, grids in annotated.items()}
        maps = {f: scribbles.stroke_map(f, stage.facts.size) for f in annotated}
        scale = stage.facts.size[0] / stage.pyramid.network_size[0]
        new = sample_round(maps, predicted, samples, preset, seed, scale=scale)
        for frame, grids in annotated.items():
            here = new.within(frame)
            moments = moments.plus(stage.pyramid.sample(grids, here.xy), here.object_id)
        samples = Samples.joined([samples, new])
        try:
            W = solve(moments, preset.ridge)
        except AdapterError as problem:
            raise AdapterError(f"{scribbles.source}: {problem}") from problem
    if W is None:
        raise AdapterError("no scribbles; give at least one round")
    return Adapter(
        W,
        moments,
        samples,
        preset,
        Provenance(
            clip=name,
            stage=features,
            stage_key=stage.stamp.key,
            made_from=stage.stamp.made_from,
            size=stage.facts.size,
            scribbles=(
                *(() if earlier is None else earlier.provenance.scribbles),
                *(scribbles.source for scribbles in rounds),
            ),
            seed=seed,
            version=__version__,
        ),
    )


class Labeller:
    """Turns one frame's features into its mask.

    Args:
        pyramid: the features' geometry.
        W: (C, K + 1), background first.
        object_ids: the id of each column.
    """

    def __init__(
        self, pyramid: Pyramid, W: npt.NDArray[np.float64], object_ids: tuple[int, ...]
    ) -> None:
        self._pyramid = pyramid
        # Scores against background's: one map fewer to bring up, and arg-max is the same.
        self._weights = pyramid.split(W[:, 1:] - W[:, :1])
        self._object_ids = object_ids[1:]

    def mask(self, features: Features) -> Mask:
        """The arg-max of the scores of one frame, (h, w, C) a level, at the clip's resolution."""
        mask = np.zeros(self._pyramid.clip_size, np.uint8)
        best = np.zeros(self._pyramid.clip_size, np.float32)  # background's score
        scores = self._pyramid.scores(features, self._weights)
        for object_id, score in zip(self._object_ids, scores, strict=True):
            mask[score > best] = object_id
            np.maximum(best, score, out=best)
        return mask


def predict(adapter: Adapter, stage: Stage) -> Iterator[tuple[int, Mask]]:
    """Masks of every frame, in order: the frame's number and (H, W) uint8.

    Raises:
        AdapterError: the adapter belongs to other features.
        StoreError: a chunk is damaged, or the stage was made anew meanwhile.
    """
    check_belongs(adapter, stage)
    labeller = Labeller(stage.pyramid, adapter.W, adapter.object_ids)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start, chunk in _ahead(stage.by_chunk()):
            frames = [[level[i] for level in chunk] for i in range(len(chunk[0]))]
            yield from enumerate(pool.map(labeller.mask, frames), start)
    stage.check_unchanged()


def render(
    adapter: Adapter,
    store: FeatureStore,
    out: Path,
    *,
    name: str | None = None,
    overlay_file: Path | None = None,
    progress: Progress = _quiet,
) -> int:
    """Write the mask of every frame as ``OUT/%05d.png``, and an overlay video if asked for.

    Masks are made aside and put in place together when all are whole.

    Args:
        adapter: the classifier.
        store: the features.
        out: the folder for the masks, made if need be.
        name: the clip; by default the one that the adapter was fitted on.
        overlay_file: an MP4 to look at.
        progress: told of frames done.

    Returns:
        How many frames were written.

    Raises:
        AdapterError: the adapter belongs to other features.
        ClipError: an overlay was asked for and the clip's frames are gone.
    """
    stage = store.stage(name or adapter.provenance.clip, adapter.provenance.stage)
    check_belongs(adapter, stage)
    frames = None if overlay_file is None else _source(stage).frames()
    there = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())
    aside = there / f".masks.{os.getpid()}"  # on the disk of the masks, whatever is mounted
    try:
        aside.mkdir()
        with ThreadPoolExecutor(os.cpu_count()) as pool, _maybe_video(overlay_file, stage) as show:
            written = []
            for number, mask in predict(adapter, stage):
                written.append(pool.submit(write_mask, mask_file(aside, number), mask))
                if frames is not None:
                    show(overlay(_next_frame(frames, stage), mask))
                progress(number + 1, stage.frames)
            for one in written:
                one.result()
        out.mkdir(parents=True, exist_ok=True)
        for file in sorted(aside.iterdir()):
            os.replace(file, out / file.name)
    except OSError as problem:
        raise unwritable(out, problem) from problem
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return stage.frames


def check_belongs(adapter: Adapter, stage: Stage) -> None:
    """Make sure that an adapter can read a stage's features.

    Raises:
        AdapterError: it was fitted on another network's features, another clip size, or both.
    """
    provenance = adapter.provenance
    if provenance.size != stage.facts.size:
        theirs, ours = provenance.size, stage.facts.size
        raise AdapterError(
            f"the adapter was fitted on a clip of {theirs[1]}x{theirs[0]}, {stage.clip_name} is "
            f"{ours[1]}x{ours[0]}; fit one on {stage.clip_name}"
        )
    if provenance.stage != stage.folder.name or provenance.stage_key != stage.stamp.key:
        why = stage.stamp.difference(Stamp(provenance.made_from)) or "another stage"
        raise AdapterError(
            f"the adapter of {provenance.clip} was fitted on other {provenance.stage} features "
            f"({why}); fit it again with: vostool adapt {stage.clip_name}"
        )


def _already(
    store: FeatureStore, name: str, stage_name: str, stamp: Stamp, say: Say
) -> Stage | None:
    stage = store.find(name, stage_name)
    if stage is None or (stage.stamp == stamp and stage.seconds is not None):
        return stage
    why = stamp.difference(stage.stamp) or "an older vostool did not note what they took"
    say(f"{name}: making {stage_name} features again: {why}")
    return None


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made in a thread while the one before it is in use."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def _network_chunks(
    clip: Clip, start: int, network_size: tuple[int, int]
) -> Iterator[npt.NDArray[np.uint8]]:
    """The clip from one frame on, (frames, h, w, 3) at the network's size, a chunk at a time."""
    frames = (_resized(frame, network_size) for frame in clip.frames(start))
    while chunk := list(islice(frames, CHUNK_FRAMES)):
        yield np.stack(chunk)


def _resized(frame: Frame, size: tuple[int, int]) -> Frame:
    if frame.shape[:2] == size:
        return frame
    import cv2

    return cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _network_size(size: tuple[int, int], network_height: int) -> tuple[int, int]:
    height, width = size
    if height <= network_height:
        return size
    return network_height, max(1, round(width * network_height / height))


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        found = "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device("cuda" if torch.cuda.is_available() else found)
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not available.get(name, False):
        raise VostoolError(f"no device {name!r} on this machine; use --device auto")
    return torch.device(name)


def _made_by(device: str, precision: str) -> dict[str, str]:
    import torch

    return {
        "vostool": __version__,
        "torch": torch.__version__,
        "device": str(_device(device)),
        "cores": str(os.cpu_count()),
        "precision": precision,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _source(stage: Stage) -> Clip:
    facts = stage.facts
    try:
        return open_clip(facts.source, name=stage.clip_name, frames=(facts.start, facts.stop))
    except ClipError as problem:
        raise ClipError(
            f"{problem}; for an overlay, run vostool extract on the clip where it lies now"
        ) from problem


def _next_frame(frames: Iterator[Frame], stage: Stage) -> Frame:
    frame = next(frames, None)
    if frame is None or frame.shape[:2] != stage.facts.size:
        raise ClipError(
            f"{stage.facts.source}: has other frames than when its features were made; for an "
            "overlay, run vostool extract on it again"
        )
    return frame


@contextmanager
def _maybe_video(file: Path | None, stage: Stage) -> Iterator[Callable[[Frame], None]]:
    if file is None:
        yield _quiet
        return
    with overlay_video(file, stage.facts.size, stage.facts.fps) as writer:

        def show(frame: Frame) -> None:
            writer.write(np.ascontiguousarray(frame[..., ::-1]))

        yield show
