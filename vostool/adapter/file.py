"""The adapter file: HDF5 with W, λ, the samples of every round, and where all this came from."""

from __future__ import annotations

import hashlib
import io
import json
import math
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from vostool.adapter.ridge import DoubleArray, SufficientStatistics
from vostool.adapter.sampling import Samples
from vostool.errors import AdapterError
from vostool.files import replacing, unwritable
from vostool.outputs import check_replaceable
from vostool.presets import FEATURES, Preset
from vostool.scribbles import BACKGROUND, LARGEST_OBJECT_ID

FAMILY = "vostool adapter"
FORMAT = f"{FAMILY} 7"


@dataclass(frozen=True)
class Provenance:
    """What an adapter was fitted on.

    Attributes:
        clip: the clip's name in its store.
        network: the backbone.
        features: what it reads, ``backbone``, ``context`` or ``both``.
        features_key: the digest of their cache key.
        made_from: what they were made from, in the cache key's words.
        size: (H, W) of the clip.
        scribbles: the scribble files, a round each.
        seed: of the random choice of negatives.
        version: vostool's, that wrote the file.
    """

    clip: str
    network: str
    features: str
    features_key: str
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
        statistics: the sums that W was solved from; ``statistics.object_ids`` names W's columns.
        samples: the labelled pixels of every round.
        strokes: every pixel that bore a stroke, sample or not, the later over the earlier.
        preset: how it was fitted, λ among it.
        provenance: what it was fitted on.
    """

    W: DoubleArray
    statistics: SufficientStatistics
    samples: Samples
    strokes: Samples
    preset: Preset
    provenance: Provenance

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The id of each column of W."""
        return self.statistics.object_ids

    def write(self, file: str | Path, *, force: bool = False) -> None:
        """Write the adapter file; it appears, or replaces another adapter, in one step.

        Args:
            file: where.
            force: replace whatever file is there.

        Raises:
            OutputError: the folder cannot be written to, or there is a file that is no adapter.
        """
        file = Path(file)
        if not force:
            check_replaceable(file, is_adapter)
        try:
            content = io.BytesIO()  # HDF5 reports no failed write, and the digest is read back
            with h5py.File(content, "w") as h5:
                h5.attrs["format"] = FORMAT
                h5.attrs["preset"] = json.dumps(asdict(self.preset))
                h5.attrs["lambda"] = self.preset.ridge
                h5.attrs["provenance"] = json.dumps(asdict(self.provenance))
                h5["W"] = self.W
                h5["object_ids"] = np.asarray(self.object_ids, np.int64)
                for name in ("counts", "sums", "gram"):
                    h5[f"statistics/{name}"] = getattr(self.statistics, name)
                for kind in ("samples", "strokes"):
                    for name, column in getattr(self, kind).columns().items():
                        h5[f"{kind}/{name}"] = column
                h5.attrs["digest"] = _digest(h5)
            with replacing(file) as tmp:
                tmp.write_bytes(content.getbuffer())
        except OSError as problem:
            raise unwritable(file, problem) from problem

    @classmethod
    def read(cls, file: str | Path) -> Adapter:
        """Read an adapter file.

        Raises:
            AdapterError: the file is missing or is no adapter.
        """
        file = Path(file)
        if not file.is_file():
            raise AdapterError(f"{file}: no such file; make it with: vostool adapt … --out {file}")
        try:
            with h5py.File(file, "r") as h5:
                if h5.attrs.get("format") != FORMAT:
                    raise AdapterError(f"{file}: not an adapter of this version of vostool")
                if h5.attrs["digest"] != _digest(h5):
                    raise ValueError("its content is not what was written")
                most = file.stat().st_size
                numbers = partial(_array, h5, kinds="f", most=most)
                whole = partial(_array, h5, kinds="iu", most=most)
                statistics = SufficientStatistics(
                    tuple(int(i) for i in whole("object_ids")),
                    *(numbers(f"statistics/{name}") for name in ("counts", "sums", "gram")),
                )
                samples, strokes = (
                    Samples(**{name: whole(f"{kind}/{name}") for name in Samples.empty().columns()})
                    for kind in ("samples", "strokes")
                )
                preset = Preset(**json.loads(h5.attrs["preset"]))
                provenance = _provenance(json.loads(h5.attrs["provenance"]))
                adapter = cls(numbers("W"), statistics, samples, strokes, preset, provenance)
                _check_preset(preset)
                _check_fit(adapter)
                _check_places(adapter)
                return adapter
        except AdapterError:
            raise
        except Exception as problem:  # h5py raises many kinds for a broken file
            reason = (str(problem) or type(problem).__name__).splitlines()[0]
            raise AdapterError(f"{file}: not a whole adapter file ({reason})") from problem


def _digest(h5: h5py.File) -> str:
    """A hash over all that an adapter file holds, but for the hash itself.

    Raises:
        ValueError: something in it lies in another file.
    """
    digest = hashlib.blake2b(digest_size=20)
    for name in sorted(set(h5.attrs) - {"digest"}):
        digest.update(json.dumps([name, str(h5.attrs[name])]).encode())

    def add(group: h5py.Group, path: str) -> None:
        for name in sorted(group):
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{path}{name} is a link")
            item = group[name]
            if isinstance(item, h5py.Group):
                add(item, f"{path}{name}/")
                continue
            if item.external or item.is_virtual or item.dtype.kind not in "if":
                raise ValueError(f"{path}{name} is not an array of its own numbers")
            about = [f"{path}{name}", str(item.dtype), list(item.shape)]
            digest.update(json.dumps(about).encode())
            digest.update(np.ascontiguousarray(item[()]).tobytes())

    add(h5, "")
    return digest.hexdigest()


def is_adapter(file: Path) -> bool:
    """Whether a file is an adapter, of this version of vostool or another."""
    try:
        with h5py.File(file, "r") as h5:
            return str(h5.attrs.get("format", "")).startswith(FAMILY)
    except OSError:
        return False


def _array(h5: h5py.File, name: str, *, kinds: str, most: int) -> npt.NDArray[Any]:
    """An array of a file, as 64-bit numbers.

    Args:
        h5: the file.
        name: the array's.
        kinds: numpy's letters of the types that it may have.
        most: bytes that it may have: those of the file, for none of ours is compressed. A header
            can promise more than any memory holds.

    Raises:
        ValueError: it is something else.
    """
    stored = h5[name]
    if not isinstance(stored, h5py.Dataset) or stored.dtype.kind not in kinds:
        raise ValueError(f"its {name} is not an array of numbers of its kind")
    if stored.nbytes > most:
        raise ValueError(f"its {name} claims to be larger than the file")
    return np.asarray(stored[:], np.float64 if kinds == "f" else np.int64)


def _provenance(stored: Any) -> Provenance:
    """What a file tells of its making.

    Raises:
        ValueError: something in it is not of its type.
        KeyError, TypeError: it has other keys.
    """
    height, width = stored["size"]
    made = Provenance(
        **{**stored, "size": (height, width), "scribbles": tuple(stored["scribbles"])}
    )
    words = (made.clip, made.network, made.features_key, made.version, *made.scribbles)
    if not all(isinstance(word, str) for word in words) or not isinstance(made.made_from, dict):
        raise ValueError("its provenance has a value of another type")
    if not all(type(n) is int and n > 0 for n in made.size):
        raise ValueError(f"its clip's size is {made.size}")
    if type(made.seed) is not int or made.seed < 0:
        raise ValueError(f"its seed is {made.seed!r}")
    _check_features(made.features)
    return made


def _check_preset(preset: Preset) -> None:
    """Raise ValueError unless a preset's values are of their types, and in range."""
    for name, value in (("ridge", preset.ridge), ("boundary_margin", preset.boundary_margin)):
        if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
            raise ValueError(f"its preset's {name} is {value!r}")
    if preset.ridge == 0 or not isinstance(preset.decoder, bool):
        raise ValueError("its preset has a value that it cannot have")
    _check_features(preset.features)


def _check_features(kind: Any) -> None:
    if kind not in FEATURES:
        raise ValueError(f"it reads features {kind!r}; there are: {', '.join(FEATURES)}")


def _check_places(adapter: Adapter) -> None:
    """Raise ValueError unless all samples lie in a clip, with labels that there are."""
    height, width = adapter.provenance.size
    for samples in (adapter.samples, adapter.strokes):
        for name, column, stop in (
            ("frame", samples.frame, None),
            ("x", samples.x, width),
            ("y", samples.y, height),
            ("object_id", samples.object_id, LARGEST_OBJECT_ID + 1),
            ("round", samples.round, None),
        ):
            if len(column) and (column.min() < 0 or (stop is not None and column.max() >= stop)):
                raise ValueError(f"a sample's {name} is out of range")


def _check_fit(adapter: Adapter) -> None:
    """Make sure that an adapter's parts are of one making.

    Raises:
        ValueError: one does not fit the others.
    """
    W, statistics, samples = adapter.W, adapter.statistics, adapter.samples
    classes, channels = len(statistics.object_ids), W.shape[0]
    shapes = {
        "W": (W, (channels, classes)),
        "counts": (statistics.counts, (classes,)),
        "sums": (statistics.sums, (classes, channels)),
        "gram": (statistics.gram, (channels, channels)),
        **{name: (column, (len(samples),)) for name, column in samples.columns().items()},
        **{
            f"strokes' {name}": (column, (len(adapter.strokes),))
            for name, column in adapter.strokes.columns().items()
        },
    }
    for name, (array, shape) in shapes.items():
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"its {name} does not fit, or is not finite")
    if not np.isin(adapter.strokes.object_id, statistics.object_ids).all():
        raise ValueError("it has strokes on an object that it does not know")
    in_order = sorted({BACKGROUND, *statistics.object_ids})
    if list(statistics.object_ids) != in_order or in_order[-1] > LARGEST_OBJECT_ID:
        raise ValueError(f"its object ids are {statistics.object_ids}")
