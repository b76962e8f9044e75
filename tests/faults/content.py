"""What a folder of vostool's outputs holds, a word a thing, so that two can be told apart.

A word is ``absent`` (by not being there), ``refused: …`` where a reader says that it is not whole,
or a hash of what a reader gets to see: features, the classifier, pixels.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from vostool.adapter import Adapter
from vostool.errors import VostoolError
from vostool.outputs import is_our_video, listed_files
from vostool.session import REFINEMENT_CACHE
from vostool.store import STAGES, FeatureStore

REFUSED = "refused"


def content(root: Path) -> dict[str, str]:
    """The things in a folder: clips' stages in ``store``, adapters, folders of masks, videos."""
    found = {}
    store = FeatureStore(root / "store")
    for name in store.names():
        clip = store.clip(name)
        for network in clip.networks():
            for stage in STAGES:
                if clip.has(network, stage):
                    found[f"{name}/{stage}"] = _stage(store, name, network, stage)
    for file in sorted(root.glob("*.h5")):
        found[file.name] = _adapter(file)
    for folder in sorted(root.glob("masks*")):
        if {entry.name for entry in folder.iterdir()} - {REFINEMENT_CACHE}:
            found[folder.name] = _masks(folder)
    for file in sorted(root.glob("*.mp4")):
        found[file.name] = _video(file)
    return found


def workspaces(root: Path) -> list[str]:
    """What is left of the making of something."""
    return sorted(str(place.relative_to(root)) for place in root.rglob(".vostool-*"))


def _hash(*parts: object) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode() + part.tobytes())
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()


def _stage(store: FeatureStore, name: str, network: str, stage_name: str) -> str:
    try:
        stage = store.clip(name).stage(network, stage_name)
        features = stage.read(0, stage.frames)
    except VostoolError as problem:
        return f"{REFUSED}: {problem}"
    if broken := list(stage.broken_files()):
        return f"{REFUSED}: {broken[0]}"
    known = stage.metadata, stage.cache_key.made_from, stage.pyramid, stage.frames
    return _hash(*features, *known)


def _adapter(file: Path) -> str:
    try:
        adapter = Adapter.read(file)
    except VostoolError as problem:
        return f"{REFUSED}: {problem}"
    tables = [table for clip in adapter.clips for table in (clip.samples, clip.strokes)]
    columns = [column for table in tables for column in table.columns().values()]
    known = [(clip.name, clip.features_key, clip.size) for clip in adapter.clips], adapter.preset
    return _hash(adapter.W, adapter.object_ids, *columns, *known)


def _masks(folder: Path) -> str:
    files = sorted(file for file in folder.iterdir() if file.suffix == ".png")
    if {file.name for file in files} != {n for n in listed_files(folder) if n.endswith(".png")}:
        return f"{REFUSED}: {folder} does not hold what its list names"
    try:
        masks = [np.asarray(Image.open(file)) for file in files]
    except (OSError, SyntaxError, ValueError) as problem:
        return f"{REFUSED}: {problem}"
    return _hash(*[file.name for file in files], *masks)


def _video(file: Path) -> str:
    if not is_our_video(file):
        return f"{REFUSED}: {file} is not vostool's"
    capture, frames = cv2.VideoCapture(str(file)), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    capture.release()
    return _hash(*frames)
