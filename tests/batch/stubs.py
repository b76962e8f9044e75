"""Clips of which nothing is there but files that are never read, and the stamps of their stages."""

from __future__ import annotations

import json
from pathlib import Path

from vostool.batch.task import Task
from vostool.checkpoints import fingerprint
from vostool.pipeline.context import context_key
from vostool.pipeline.extraction import backbone_key
from vostool.store import STAGES, CacheKey
from vostool.store.layout import clip_folder
from vostool.store.manifest import NAME as MANIFEST
from vostool.weights import find_weights

LATER = "2100-01-01T00:00:00Z"
"""When the stamps say that they were made: after the files."""


def stub_task(folder: Path, stages: tuple[str, ...] = ("extract", "propagate")) -> Task:
    """A task over a store in a folder."""
    return Task(
        stages, str(folder / "store"), str(folder / "batch"), "efficientnet-lite0", None, 480,
        "rnn", None, "cpu",
    )  # fmt: skip


def stub_clips(folder: Path, count: int, size: int = 1000) -> dict[str, str]:
    """Files that are no videos, and take no room: their sources, by the clips' names."""
    (folder / "clips").mkdir(exist_ok=True)
    sources = {}
    for number in range(count):
        file = folder / "clips" / f"clip{number:06d}.mp4"
        with file.open("wb") as stream:
            stream.truncate(size)
        sources[file.stem] = str(file)
    return sources


class Stamper:
    """Writes stamps as finished stages have them, without the features.

    Args:
        task: in whose store, and of which networks.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._key = backbone_key("", task.backbone, task.weights, task.network_height)
        self._model = fingerprint(find_weights(task.model))

    def stamp(self, clip: str, source: str, stages: int = 2, seconds: float = 30.0) -> None:
        """Stamp the first stages of a clip as made."""
        mark = f"of {clip}"
        backbone = CacheKey({**self._key.made_from, "clip": mark})
        keys = (backbone, context_key(backbone, self._model))
        about = {
            "source": source, "start": 0, "stop": None, "size": [480, 854], "fps": 24.0,
            "fingerprint": mark,
        }  # fmt: skip
        for kind, key in list(zip(STAGES, keys, strict=True))[:stages]:
            folder = clip_folder(Path(self._task.store), clip) / self._task.backbone / kind
            folder.mkdir(parents=True)
            made = CacheKey(key.made_from, {"time": LATER, "seconds": seconds})
            attributes = {"stamp": made.as_dict(), "clip": about, "frames": 240}
            content = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
            (folder / "zarr.json").write_text(json.dumps(content))
            (folder / MANIFEST).write_text("")
