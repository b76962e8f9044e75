"""From frames to stored backbone features."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from vostool.backbones import Backbone
from vostool.clips import Clip, Frame
from vostool.pipeline.making import ahead, already_made, find_device, made_by
from vostool.pipeline.telling import Progress, Say, quiet
from vostool.pyramid import Pyramid
from vostool.store import ClipFacts, FeatureStore, Stage, Stamp, update_source
from vostool.store.layout import CHUNK_FRAMES

NETWORK_HEIGHT = 480
"""Taller frames are scaled down for the network: the method was made and measured at 480p."""
LONG = 200
"""Frames from which on it is worth knowing beforehand how long they will take."""


def extract(
    clip: Clip,
    store: FeatureStore,
    *,
    weights: str | None = None,
    device: str = "auto",
    network_height: int = NETWORK_HEIGHT,
    progress: Progress = quiet,
    say: Say = quiet,
) -> Stage:
    """Run the backbone over a clip and keep its features; does nothing where they are there.

    Args:
        clip: the frames.
        store: where the features go, under the clip's name and that of the store's network.
        weights: of the network: a file, ``random``, or None to look where they are kept.
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
            "backbone": store.network,
            "weights": weights_fingerprint(store.network, weights),
            "network_height": network_height,
        }
    )
    facts = ClipFacts(str(clip.path.resolve()), clip.start, clip.stop, clip.size, clip.fps)
    with store.lock(clip.name, lambda: say(f"{clip.name}: another run writes it; waiting")):
        begun = time.perf_counter()
        if stage := already_made(store, clip.name, "backbone", stamp, say):
            update_source(stage, facts)
            return stage
        network = load_backbone(store.network, find_device(device), weights)
        network_size = _network_size(clip.size, network_height)
        stamp = replace(stamp, made_by=made_by(device, network.precision))
        writer = store.writer(clip.name, "backbone", stamp, begun=begun)
        pyramid = Pyramid(clip.size, network_size, network.levels(*network_size))
        writer.begin(pyramid, facts)
        if clip.expected_frames - writer.done >= LONG:
            _tell_pace(network, network_size, clip.expected_frames - writer.done, clip.name, say)
        chunks = ahead(_network_chunks(clip, writer.done, network_size))
        with ThreadPoolExecutor(1) as behind:  # writing goes on while the network runs
            written = None
            for frames in chunks:
                features = network.features(frames)
                if written is not None:
                    written.result()
                written = behind.submit(writer.append, features)
                progress(
                    writer.done + len(frames), max(clip.expected_frames, writer.done + len(frames))
                )
            if written is not None:
                written.result()
        return writer.finish()


def _tell_pace(network: Backbone, size: tuple[int, int], frames: int, name: str, say: Say) -> None:
    """Say how long it will take, by a frame that is run for nothing, after one to warm up."""
    blank = np.zeros((1, *size, 3), np.uint8)
    network.features(blank)
    begun = time.perf_counter()
    network.features(blank)
    pace = time.perf_counter() - begun
    say(
        f"{name}: {1 / pace:.1f} frames/s by the network, "
        f"so some {max(1, round(frames * pace / 60))} min for {frames} frames"
    )


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
