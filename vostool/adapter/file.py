"""The adapter file: HDF5 with W, λ, the samples of every round, and where all this came from."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vostool.adapter.presets import Preset
from vostool.adapter.ridge import DoubleArray, Moments
from vostool.adapter.sampling import Samples
from vostool.errors import AdapterError
from vostool.scribbles import BACKGROUND, LARGEST_OBJECT_ID

FORMAT = "vostool adapter 5"


@dataclass(frozen=True)
class Provenance:
    """What an adapter was fitted on.

    Attributes:
        clip: the clip's name in its store.
        network: the backbone.
        stage: the features it reads, ``backbone``, ``context`` or ``both``.
        stage_key: the key of their stamp.
        made_from: what they were made from, in the stamp's words.
        size: (H, W) of the clip.
        scribbles: the scribble files, a round each.
        seed: of the random choice of negatives.
        version: vostool's, that wrote the file.
    """

    clip: str
    network: str
    stage: str
    stage_key: str
    made_from: dict[str, Any]
    size: tuple[int, int]
    scribbles: tuple[str, ...]
    seed: int
    version: str


@dataclass(frozen=True)
class Adapter:
    """A classifier of one clip's objects, and all that the next round needs.

    Attributes:
        W: (C, K + 1) float64, a column a class, background first.
        moments: the sums that W was solved from; ``moments.object_ids`` names W's columns.
        samples: the labelled pixels of every round.
        strokes: every pixel that bore a stroke, sample or not, the later over the earlier.
        preset: how it was fitted, λ among it.
        provenance: what it was fitted on.
    """

    W: DoubleArray
    moments: Moments
    samples: Samples
    strokes: Samples
    preset: Preset
    provenance: Provenance

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The id of each column of W."""
        return self.moments.object_ids


def write_adapter(file: Path, adapter: Adapter) -> None:
    """Write an adapter; the file appears, or is replaced, in one step.

    Raises:
        AdapterError: the folder cannot be written to.
    """
    aside = file.parent / f".{file.name}.{os.getpid()}"
    try:
        with h5py.File(aside, "w") as h5:
            h5.attrs["format"] = FORMAT
            h5.attrs["preset"] = json.dumps(asdict(adapter.preset))
            h5.attrs["lambda"] = adapter.preset.ridge
            h5.attrs["provenance"] = json.dumps(asdict(adapter.provenance))
            h5["W"] = adapter.W
            h5["object_ids"] = np.asarray(adapter.object_ids, np.int64)
            for name in ("counts", "sums", "gram"):
                h5[f"moments/{name}"] = getattr(adapter.moments, name)
            for kind in ("samples", "strokes"):
                for name, column in getattr(adapter, kind).columns().items():
                    h5[f"{kind}/{name}"] = column
        os.replace(aside, file)
    except OSError as problem:
        reason = os.strerror(problem.errno) if problem.errno else str(problem).splitlines()[0]
        raise AdapterError(f"{file}: cannot be written ({reason}); name another --out") from problem
    finally:
        aside.unlink(missing_ok=True)


def read_adapter(file: Path) -> Adapter:
    """Read an adapter.

    Raises:
        AdapterError: the file is missing or is no adapter.
    """
    if not file.is_file():
        raise AdapterError(f"{file}: no such file; make it with: vostool adapt … --out {file}")
    try:
        with h5py.File(file, "r") as h5:
            if h5.attrs.get("format") != FORMAT:
                raise AdapterError(f"{file}: not an adapter of this version of vostool")
            provenance = json.loads(h5.attrs["provenance"])
            provenance["size"] = tuple(provenance["size"])
            provenance["scribbles"] = tuple(provenance["scribbles"])
            moments = Moments(
                tuple(int(i) for i in h5["object_ids"][:]),
                *(h5[f"moments/{name}"][:] for name in ("counts", "sums", "gram")),
            )
            samples, strokes = (
                Samples(**{name: h5[f"{kind}/{name}"][:] for name in Samples.none().columns()})
                for kind in ("samples", "strokes")
            )
            preset = Preset(**json.loads(h5.attrs["preset"]))
            adapter = Adapter(
                h5["W"][:], moments, samples, strokes, preset, Provenance(**provenance)
            )
            _check_fit(adapter)
            return adapter
    except (OSError, KeyError, TypeError, ValueError) as problem:
        reason = str(problem).splitlines()[0]
        raise AdapterError(f"{file}: not a whole adapter file ({reason})") from problem


def _check_fit(adapter: Adapter) -> None:
    """Make sure that an adapter's parts are of one making.

    Raises:
        ValueError: one does not fit the others.
    """
    W, moments, samples = adapter.W, adapter.moments, adapter.samples
    classes, channels = len(moments.object_ids), W.shape[0]
    shapes = {
        "W": (W, (channels, classes)),
        "counts": (moments.counts, (classes,)),
        "sums": (moments.sums, (classes, channels)),
        "gram": (moments.gram, (channels, channels)),
        **{name: (column, (len(samples),)) for name, column in samples.columns().items()},
        **{
            f"strokes' {name}": (column, (len(adapter.strokes),))
            for name, column in adapter.strokes.columns().items()
        },
    }
    for name, (array, shape) in shapes.items():
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"its {name} does not fit, or is not finite")
    in_order = sorted({BACKGROUND, *moments.object_ids})
    if list(moments.object_ids) != in_order or in_order[-1] > LARGEST_OBJECT_ID:
        raise ValueError(f"its object ids are {moments.object_ids}")
