"""From frames to stored backbone features."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vostool.clips import Clip, Frame
from vostool.pipeline.making import ahead, already_made, find_device, made_by
from vostool.pipeline.telling import Progress, Say, quiet
from vostool.pyramid import Pyramid
from vostool.store import ClipFacts, FeatureStore, Stage, Stamp, update_source
from vostool.store.layout import CHUNK_FRAMES

NETWORK_HEIGHT = 480
"""Taller frames are scaled down for the network: the method was made and measured at 480p."""


def extract(
    clip: Clip,
    store: FeatureStore,
    *,
    backbone: str = "efficientnet-lite0",
    device: str = "auto",
    network_height: int = NETWORK_HEIGHT,
    progress: Progress = quiet,
    say: Say = quiet,
) -> Stage:
    """Run the backbone over a clip and keep its features; does nothing where they are there.

    Args:
        clip: the frames.
        store: where the features go, under the clip's name.
        backbone: the network's name, or a file of weights that training left.
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
            "backbone": Path(backbone).name,  # wherever a file lies: its weights decide
            "weights": weights_fingerprint(backbone),
            "network_height": network_height,
        }
    )
    facts = ClipFacts(str(clip.path.resolve()), clip.start, clip.stop, clip.size, clip.fps)
    with store.lock(clip.name, lambda: say(f"{clip.name}: another run writes it; waiting")):
        begun = time.perf_counter()
        if stage := already_made(store, clip.name, "backbone", stamp, say):
            update_source(stage, facts)
            return stage
        network = load_backbone(backbone, find_device(device))
        network_size = _network_size(clip.size, network_height)
        stamp = replace(stamp, made_by=made_by(device, network.precision))
        writer = store.writer(clip.name, "backbone", stamp, begun=begun)
        pyramid = Pyramid(clip.size, network_size, network.levels(*network_size))
        writer.begin(pyramid, facts)
        chunks = ahead(_network_chunks(clip, writer.done, network_size))
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
