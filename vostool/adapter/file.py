"""The adapter file: HDF5 with W, λ, the samples of every round, and where all this came from.

Format 8 holds any number of clips: in its tables of samples and strokes a column tells which of
them a row is of. Format 7 held one clip, and is read as an adapter of one.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from vostool.adapter.lessons import LearntClip, Provenance
from vostool.adapter.ridge import DoubleArray, SufficientStatistics
from vostool.adapter.sampling import Samples
from vostool.errors import AdapterError, UsageError
from vostool.files import replacing, unwritable
from vostool.outputs import check_replaceable
from vostool.presets import FEATURES, Preset
from vostool.scribbles import BACKGROUND, LARGEST_OBJECT_ID

FAMILY = "vostool adapter"
FORMAT = f"{FAMILY} 8"
OF_ONE_CLIP = f"{FAMILY} 7"
"""The format before, which had no list of clips."""
TABLES = ("samples", "strokes")
OF_A_CLIP = ("clip", "features")
"""What of a cache key's words depends on the clip: its fingerprint, and its backbone's features."""

MOST_NAMES = 3
"""Clips that are named in a message."""

Whole = Callable[[str], npt.NDArray[np.int64]]
"""Reads an array of whole numbers of a file, by its name."""


@dataclass(frozen=True)
class Adapter:
    """A classifier of some objects, and all that the next round needs.

    It may be applied to any clip whose features were made by the same networks. Objects have the
    same ids in all of them.

    Attributes:
        W: (C, K + 1) float64, a column a class, background first.
        statistics: the sums that W was solved from, over all clips; ``statistics.object_ids`` names
            W's columns.
        clips: those that it has learnt from, in the order in which they came.
        preset: how it was fitted, λ among it.
        provenance: which features it reads.
    """

    W: DoubleArray
    statistics: SufficientStatistics
    clips: tuple[LearntClip, ...]
    preset: Preset
    provenance: Provenance

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The id of each column of W."""
        return self.statistics.object_ids

    @property
    def rounds(self) -> int:
        """How many rounds of scribbles it has learnt from, on all clips."""
        return sum(len(clip.scribbles) for clip in self.clips)

    def counts(self) -> tuple[int, int]:
        """How many samples are positive and how many negative."""
        negative = int(self.statistics.counts[0])
        return int(self.statistics.counts.sum()) - negative, negative

    @property
    def names(self) -> str:
        """The clips that it has learnt from, in words; of many, the first ones."""
        first = ", ".join(clip.name for clip in self.clips[:MOST_NAMES])
        more = len(self.clips) - MOST_NAMES
        return first if more <= 0 else f"{first} and {more} more"

    @property
    def only_clip(self) -> str:
        """The name of the clip that it has learnt from.

        Raises:
            UsageError: there are several.
        """
        if len(self.clips) > 1:
            raise UsageError(
                f"the adapter has learnt from {len(self.clips)} clips ({self.names}); name the clip"
            )
        return self.clips[0].name

    def learnt_from(self, features_key: str) -> LearntClip | None:
        """What was drawn on a clip; None for one that it has not learnt from.

        Args:
            features_key: the digest of the cache key of the clip's features.
        """
        return next((clip for clip in self.clips if clip.features_key == features_key), None)

    def strokes_on(self, features_key: str) -> Samples:
        """Every pixel of a clip that bore a stroke; none on one that it has not learnt from."""
        learnt = self.learnt_from(features_key)
        return Samples.empty() if learnt is None else learnt.strokes

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
                self._fill(h5)
                h5.attrs["digest"] = _digest(h5)
            with replacing(file) as tmp:
                tmp.write_bytes(content.getbuffer())
        except OSError as problem:
            raise unwritable(file, problem) from problem

    @cached_property
    def digest(self) -> str:
        """A hash over all that it is: equal for adapters that make equal masks."""
        with h5py.File(io.BytesIO(), "w") as h5:
            self._fill(h5)
            return _digest(h5)

    def _fill(self, h5: h5py.File) -> None:
        """Put all that it is into a file."""
        h5.attrs["format"] = FORMAT
        h5.attrs["preset"] = json.dumps(asdict(self.preset))
        h5.attrs["lambda"] = self.preset.ridge
        h5.attrs["provenance"] = json.dumps(asdict(self.provenance))
        h5["W"] = self.W
        h5["object_ids"] = np.asarray(self.object_ids, np.int64)
        for name in ("counts", "sums", "gram"):
            h5[f"statistics/{name}"] = getattr(self.statistics, name)
        about = json.dumps([_about(clip) for clip in self.clips]).encode()
        h5["clips"] = np.frombuffer(about, np.uint8)  # an attribute holds 64 kB
        for kind in TABLES:
            parts = [getattr(clip, kind) for clip in self.clips]
            lengths = [len(part) for part in parts]
            h5[f"{kind}/clip"] = np.repeat(np.arange(len(parts)), lengths)
            for name, column in Samples.concat(parts).columns().items():
                h5[f"{kind}/{name}"] = column

    @classmethod
    def read(cls, file: str | Path) -> Adapter:
        """Read an adapter file, of this format or of the one before.

        Raises:
            AdapterError: the file is missing or is no adapter.
        """
        file = Path(file)
        if not file.is_file():
            raise AdapterError(f"{file}: no such file; make it with: vostool adapt … --out {file}")
        try:
            with h5py.File(file, "r") as h5:
                if h5.attrs.get("format") not in (FORMAT, OF_ONE_CLIP):
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
                preset = Preset(**json.loads(h5.attrs["preset"]))
                provenance, about = _origin(h5, whole)
                tables = [_by_clip(h5, whole, kind, len(about)) for kind in TABLES]
                clips = tuple(map(_learnt_clip, about, *tables))
                adapter = cls(numbers("W"), statistics, clips, preset, provenance)
                _check_preset(preset)
                _check_fit(adapter)
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
            if item.external or item.is_virtual or item.dtype.kind not in "iuf":
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


def _about(clip: LearntClip) -> dict[str, Any]:
    """What a file tells of a clip beside its tables."""
    return {name: getattr(clip, name) for name in ("name", "features_key", "size", "scribbles")}


def _origin(h5: h5py.File, whole: Whole) -> tuple[Provenance, list[dict[str, Any]]]:
    """What a file tells of its making: which features it reads, and of each clip what it is.

    Raises:
        ValueError, KeyError, TypeError: something in it is not of its type, or has other keys.
    """
    stored = json.loads(h5.attrs["provenance"])
    if h5.attrs["format"] == FORMAT:
        about = json.loads(whole("clips").astype(np.uint8).tobytes())
    else:
        about = [{name: stored.pop(name) for name in ("features_key", "size", "scribbles")}]
        about[0]["name"] = stored.pop("clip")
        made_from = dict(stored.pop("made_from"))
        # That of the context alone told of its own clip only: its backbone is not known.
        if stored["features"] != "context":
            made_from = {k: v for k, v in made_from.items() if k not in OF_A_CLIP}
        stored["networks"] = made_from
    made = Provenance(**stored)
    words = (made.network, made.version)
    if not all(isinstance(word, str) for word in words) or not isinstance(made.networks, dict):
        raise ValueError("its provenance has a value of another type")
    if type(made.seed) is not int or made.seed < 0:
        raise ValueError(f"its seed is {made.seed!r}")
    _check_features(made.features)
    if not isinstance(about, list) or not about:
        raise ValueError("it names no clip")
    if len({clip["features_key"] for clip in about}) != len(about):
        raise ValueError("it names a clip twice")
    return made, about


def _by_clip(h5: h5py.File, whole: Whole, kind: str, clips: int) -> list[Samples]:
    """A table of samples, clip by clip.

    Raises:
        ValueError: a row is of no clip, or the columns are not of one length.
    """
    table = Samples(**{name: whole(f"{kind}/{name}") for name in Samples.empty().columns()})
    of = whole(f"{kind}/clip") if h5.attrs["format"] == FORMAT else np.zeros_like(table.frame)
    for name, column in table.columns().items():
        if of.ndim != 1 or column.shape != of.shape:
            raise ValueError(f"its {kind}' {name} does not fit")
    if len(of) and (of.min() < 0 or of.max() >= clips):
        raise ValueError(f"a row of its {kind} is of no clip")
    order = np.argsort(of, kind="stable")
    ends = np.cumsum(np.bincount(of, minlength=clips))[:-1]
    return [table.select(rows) for rows in np.split(order, ends)]


def _learnt_clip(about: dict[str, Any], samples: Samples, strokes: Samples) -> LearntClip:
    """A clip, of what a file tells of it.

    Raises:
        ValueError, KeyError, TypeError: something is not of its type, or there are other keys.
    """
    height, width = about["size"]
    clip = LearntClip(
        **{**about, "size": (height, width), "scribbles": tuple(about["scribbles"])},
        samples=samples,
        strokes=strokes,
    )
    if not all(isinstance(word, str) for word in (clip.name, clip.features_key, *clip.scribbles)):
        raise ValueError("a clip of its has a value of another type")
    if not all(type(n) is int and n > 0 for n in clip.size):
        raise ValueError(f"its clip's size is {clip.size}")
    return clip


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


def _check_places(clip: LearntClip) -> None:
    """Raise ValueError unless all samples lie in their clip, with labels that there are."""
    height, width = clip.size
    for samples in (clip.samples, clip.strokes):
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
    W, statistics = adapter.W, adapter.statistics
    classes, channels = len(statistics.object_ids), W.shape[0]
    shapes = {
        "W": (W, (channels, classes)),
        "counts": (statistics.counts, (classes,)),
        "sums": (statistics.sums, (classes, channels)),
        "gram": (statistics.gram, (channels, channels)),
    }
    for name, (array, shape) in shapes.items():
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"its {name} does not fit, or is not finite")
    for clip in adapter.clips:
        _check_places(clip)
        if not np.isin(clip.strokes.object_id, statistics.object_ids).all():
            raise ValueError("it has strokes on an object that it does not know")
    in_order = sorted({BACKGROUND, *statistics.object_ids})
    if list(statistics.object_ids) != in_order or in_order[-1] > LARGEST_OBJECT_ID:
        raise ValueError(f"its object ids are {statistics.object_ids}")
