"""From frames to stored backbone features."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vostool import backbones
from vostool.clips import Clip
from vostool.errors import ClipError, OutputError
from vostool.images import Frame
from vostool.pipeline.progress import Progress, Say, quiet
from vostool.pipeline.runtime import ahead, device_name, made_by
from vostool.pyramid import Pyramid
from vostool.store import CacheKey, ClipMetadata, Stage, StoredClip, update_source
from vostool.store.layout import CHUNK_FRAMES

NETWORK_HEIGHT = 480
"""Frames are brought to this for the network: the method was made and measured at 480p."""
ENLARGED = 2
"""How many times a smaller frame is enlarged, at most: beyond, there is nothing more to see."""
LONG = 200
"""Frames from which on it is worth knowing beforehand how long they will take."""


def extract(
    clip: Clip,
    stored: StoredClip,
    *,
    backbone: str = backbones.DEFAULT,
    weights: str | None = None,
    device: str = "auto",
    network_height: int = NETWORK_HEIGHT,
    progress: Progress = quiet,
    say: Say = quiet,
) -> Stage:
    """Run the backbone over a clip and keep its features; does nothing where they are there.

    Args:
        clip: the frames.
        stored: where the features go.
        backbone: the network, one of :data:`vostool.backbones.BACKBONES`.
        weights: of the network: a file, ``random``, or None to look where they are kept.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        network_height: frames are brought to this for the network, and enlarged
            :data:`ENLARGED` times at most.
        progress: told of frames done.
        say: told why features are made again, of the weights where they are the user's, and of
            frames that are missing.

    Raises:
        ClipError: the clip cannot be read as a whole, or its name is taken by another clip.
        ImageError: a frame's file is not a whole image.
        WeightsError: the network's weights are missing.
        OutputError: the store cannot be written to.
    """
    key = backbone_key(clip.fingerprint, backbone, weights, network_height)
    metadata = ClipMetadata(
        str(clip.path.resolve()), clip.start, clip.stop, clip.size, clip.fps, clip.fingerprint,
        clip.reading.as_dict(),
    )  # fmt: skip
    check_not_taken(stored, clip)
    if clip.incomplete:
        say(clip.incomplete)

    def waiting() -> None:
        say(f"{stored.name}: another run writes it; waiting")

    # What is made needs no lock and no writing, so that a store may be read-only.
    if stage := already_made(stored, backbone, "backbone", key, quiet):
        if stage.metadata != metadata:
            _note_source(stored, backbone, key, metadata, waiting)
        return stored.stage(backbone, "backbone")
    with stored.lock(waiting):
        begun = time.perf_counter()
        if stage := already_made(stored, backbone, "backbone", key, say):
            update_source(stage, metadata)
            return stage
        for remark in backbones.find_network(backbone).remarks(weights):
            say(remark)
        device = device_name(device)
        network = backbones.load_backbone(backbone, device, weights)
        network_size = _network_size(clip.size, network_height)
        key = replace(key, made_by=made_by(device, network.engine, network.precision))
        writer = stored.writer(backbone, "backbone", key, begun=begun)
        pyramid = Pyramid(clip.size, network_size, network.levels(*network_size))
        writer.begin(pyramid, metadata)
        if (left := clip.expected_frames - writer.done) >= LONG:
            progress = _telling_pace(progress, left, stored.name, say)
        chunks = ahead(_network_chunks(clip, writer.done, network_size))
        with ThreadPoolExecutor(1) as behind:  # writing goes on while the network runs
            written = None
            for frames in chunks:
                features = network.features(frames)
                if written is not None:
                    written.result()
                written = behind.submit(writer.append, features)
                progress(writer.done + len(frames), clip.expected_frames)
            if written is not None:
                written.result()
        return writer.finish()


def backbone_key(clip: str, backbone: str, weights: str | None, network_height: int) -> CacheKey:
    """What a clip's backbone features are made from.

    Args:
        clip: its fingerprint.
        backbone, weights, network_height: as of :func:`extract`.

    Raises:
        WeightsError: the network's weights are missing.
    """
    return CacheKey(
        {
            "clip": clip,
            "backbone": backbone,
            "weights": backbones.find_network(backbone).fingerprint(weights),
            "network_height": network_height,
        }
    )


def check_not_taken(stored: StoredClip, clip: Clip) -> None:
    """Make sure that a name in the store is not another clip's.

    A clip that was edited where it lies, or of which another range is taken, is still the same.

    Raises:
        ClipError: it is; the message proposes another name.
    """
    for network in stored.networks():
        stage = stored.find(network, "backbone")
        if stage is None or stage.metadata.fingerprint == clip.fingerprint:
            continue
        there = Path(stage.metadata.source)
        if there != clip.path.resolve() and there.exists():
            raise ClipError(
                f"{clip.path}: the name {stored.name} is taken by {there}; give another, such as "
                f"--name {clip.path.resolve().parent.name}-{stored.name}"
            )


def already_made(
    stored: StoredClip, network: str, stage_name: str, key: CacheKey, say: Say
) -> Stage | None:
    """The stage, where it is there and was made from the same; else say why it is not taken.

    Args:
        stored: the clip.
        network: the backbone.
        stage_name: ``backbone`` or ``context``.
        key: what it would be made from now.
        say: told why it is made again.
    """
    stage = stored.find(network, stage_name)
    if stage is None or stage.cache_key == key:
        return stage
    why = key.difference(stage.cache_key)
    say(f"{stored.name}: making {stage_name} features again: {why}")
    return None


def _note_source(
    stored: StoredClip,
    network: str,
    key: CacheKey,
    metadata: ClipMetadata,
    waiting: Callable[[], None],
) -> None:
    """Note where a clip lies now, in a store that can be written to."""
    with suppress(OutputError, OSError), stored.lock(waiting):
        if stage := already_made(stored, network, "backbone", key, quiet):
            update_source(stage, metadata)


def _telling_pace(progress: Progress, frames: int, name: str, say: Say) -> Progress:
    """Progress that says, at the end of the second chunk, how long all frames will take."""
    known: list[tuple[int, float]] = []

    def told(done: int, total: int) -> None:
        progress(done, total)
        known.append((done, time.perf_counter()))
        if len(known) == 2:
            (before, begun), (_, now) = known
            pace = (now - begun) / (done - before)
            minutes = max(1, round(frames * pace / 60))
            say(f"{name}: {1 / pace:.1f} frames/s, so some {minutes} min for {frames} frames")

    return told


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

    smaller = size[0] < frame.shape[0]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(frame, size[::-1], interpolation=how).astype(np.uint8, copy=False)


def _network_size(size: tuple[int, int], network_height: int) -> tuple[int, int]:
    """(H, W) at which the network sees frames of a size."""
    height, width = size
    network_height = min(network_height, ENLARGED * height)
    return network_height, max(1, round(width * network_height / height))
