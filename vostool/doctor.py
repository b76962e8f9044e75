"""Is all well on this machine: what a bug report needs, and what a user wants to know.

Each check is a function that gives a :class:`Finding`; :data:`CHECKS` lists them. The networks are
asked about a picture that is drawn here, and their answers held against :data:`REFERENCE`, which a
processor made in 32 bits: on some GPUs networks give other answers, without a word.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vostool.errors import StoreError, UnreachableError, VostoolError
from vostool.files import LOCK, flush, flush_folder
from vostool.mounts import DISKS, beyond_locks, find_mount
from vostool.store import STAGES, Features, FeatureStore
from vostool.store.layout import is_url
from vostool.version import __version__

if TYPE_CHECKING:
    import torch

    from vostool.pyramid import Pyramid

REFERENCE = Path(__file__).with_name("doctor.json")
"""What the networks answer: made by ``tools/doctor_reference.py``."""
LIBRARIES = (
    "av", "click", "davisinteractive", "filelock", "h5py", "numpy", "onnxruntime", "opencv-python",
    "pillow", "rich", "safetensors", "torch", "zarr",
)  # fmt: skip
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile")
"""Of processors, those that decide how quick vostool is."""
ALIKE = 0.99
"""The cosine between two answers above which they are the same but for rounding."""
SIZE = (96, 128)
LITTLE_ROOM = 5e9
"""Free bytes below which a store should not be begun: an hour of 480p takes some 300 GB."""


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        about: what was looked at.
        well: whether all is well.
        told: in a line.
        facts: for scripts; JSON values.
    """

    about: str
    well: bool
    told: str
    facts: dict[str, Any]


def examine(store: Path | str) -> Iterator[Finding]:
    """Make every check, one after the other.

    Args:
        store: the feature store's folder, whether it is there or not; or its URL.
    """
    for check in (*CHECKS, *(CHECKS_OF_BUCKETS if is_url(store) else CHECKS_OF_DISKS), *LAST):
        yield from check(store)


def versions(store: Path | str) -> Iterator[Finding]:
    """Of vostool, Python and the libraries."""
    found = {"vostool": __version__, "python": platform.python_version()}
    missing = []
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            missing.append(library)
    told = ", ".join(f"{name} {number}" for name, number in found.items())
    optional = {"davisinteractive", "opencv-python"}  # OpenCV comes as other packages, too
    yield Finding("versions", set(missing) <= optional, told, {**found, "missing": missing})


def processor(store: Path | str) -> Iterator[Finding]:
    """What computes, if there is no GPU."""
    name, flags = platform.processor() or platform.machine(), set()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            if key.strip() in ("flags", "Features"):
                flags = set(value.split())
    except OSError:
        pass  # not Linux: the name must do
    features = [feature for feature in FEATURES if feature in flags]
    cores = os.cpu_count() or 1
    told = f"{name}, {cores} cores, {' '.join(features) or 'features unknown'}"
    facts = {"name": name, "cores": cores, "features": features, "system": platform.platform()}
    yield Finding("processor", True, told, facts)


def disk(store: Path | str) -> Iterator[Finding]:
    """Free room where the store is or would be."""
    place = _existing(store)
    free = shutil.disk_usage(place).free
    told = f"{free / 1e9:.0f} GB free at {place}"
    yield Finding("disk", free > LITTLE_ROOM, told, {"place": str(place), "free": free})


def locks(store: Path | str) -> Iterator[Finding]:
    """Whether a lock that one process holds keeps another out, on the store's file system."""
    from filelock import FileLock

    place = _existing(store)
    probe = (
        "import sys; from filelock import FileLock, Timeout\n"
        "try: FileLock(sys.argv[1]).acquire(timeout=0)\n"
        "except Timeout: print('held')"
    )
    try:
        with (
            TemporaryDirectory(prefix=".vostool-doctor-", dir=place) as folder,
            FileLock(Path(folder) / LOCK),
        ):
            ask = [sys.executable, "-c", probe, str(Path(folder) / LOCK)]
            answer = subprocess.run(ask, capture_output=True, text=True).stdout.strip()
        works = answer == "held"
        told = f"locks {'work' if works else 'do NOT work'} at {place}"
        mount, beyond = find_mount(place), beyond_locks(place)
        if beyond and mount is not None and mount.kind not in DISKS:
            told += f"; {beyond}"
    except OSError as problem:
        works, told = False, f"{place}: cannot be written ({problem.strerror})"
    facts = {"place": str(place), "work": works, "between_machines": beyond_locks(place) is None}
    yield Finding("locks", works, told, facts)


def flushing(store: Path | str) -> Iterator[Finding]:
    """Whether what is written can be flushed to the disk, and what that takes."""
    place = _existing(store)
    try:
        with TemporaryDirectory(prefix=".vostool-doctor-", dir=place) as folder:
            file = Path(folder) / "file"
            file.write_bytes(bytes(1 << 20))
            begun = time.perf_counter()
            flush(file)
            flush_folder(Path(folder))
            seconds = time.perf_counter() - begun
    except OSError as problem:
        told = f"{place}: cannot be flushed ({problem.strerror})"
        yield Finding("flush", False, told, {"place": str(place)})
        return
    told = f"a megabyte is on the disk in {1000 * seconds:.1f} ms"
    yield Finding("flush", True, told, {"place": str(place), "seconds": seconds})


def swapping(store: Path | str) -> Iterator[Finding]:
    """Whether a bucket can be written to, and swaps objects by their ETags, as locks need it."""
    from vostool.store.s3.bucket import Bucket, ConflictError

    key = f".vostool-doctor-{secrets.token_hex(4)}"
    try:
        bucket = Bucket(str(store))
        begun = time.perf_counter()
        refused, etag = 0, bucket.swap(key, b"one", None)
        bucket.swap(key, b"two", etag)
        for before in (None, etag):
            try:
                bucket.swap(key, b"three", before)
            except ConflictError:
                refused += 1
        seconds = (time.perf_counter() - begun) / 6
        bucket.delete([key])
    except VostoolError as problem:
        yield Finding("bucket", False, str(problem), {"place": str(store)})
        return
    told = f"locks {'work' if refused == 2 else 'do NOT work'} at {store}"
    told += f", a request takes {1000 * seconds:.0f} ms"
    facts = {"place": str(store), "work": refused == 2, "seconds": seconds}
    yield Finding("bucket", refused == 2, told, facts)


def stores(store: Path | str) -> Iterator[Finding]:
    """What is stored, and whether it is whole as far as a glance tells."""
    try:
        found = FeatureStore(store)
        names = found.names()
    except UnreachableError as problem:
        yield Finding("store", False, str(problem), {"store": str(store)})
        return
    taken, unfinished, broken = 0, [], []
    for name in names:
        clip = found.clip(name)
        for network in clip.networks():
            unfinished += [f"{name} {network} {stage}" for stage in clip.unfinished(network)]
            for stage in STAGES:
                if not clip.has(network, stage):
                    continue
                try:
                    taken += clip.stage(network, stage).bytes
                except StoreError as problem:
                    broken.append(str(problem))
    told = f"{store}: {len(names)} clips, {taken / 1e9:.1f} GB"
    if unfinished:
        told += f", {len(unfinished)} stages unfinished"
    told += "".join(f"; {problem}" for problem in broken)
    facts = {
        "store": str(store), "clips": len(names), "bytes": taken, "unfinished": unfinished,
        "broken": broken,
    }  # fmt: skip
    yield Finding("store", not broken, told, facts)


def networks(store: Path | str) -> Iterator[Finding]:
    """Each network on each device, about a picture whose answers are known."""
    import torch

    reference = json.loads(REFERENCE.read_text())
    for name in ("cpu", "cuda", "mps"):
        available = {
            "cpu": True,
            "cuda": torch.cuda.is_available(),
            "mps": torch.backends.mps.is_available(),
        }[name]
        if not available:
            continue
        about = f"networks on {name}"
        begun = time.perf_counter()
        try:
            answers = ask_networks(torch.device(name))
        except (VostoolError, RuntimeError) as problem:
            yield Finding(about, False, str(problem).splitlines()[0], {})
            continue
        seconds = time.perf_counter() - begun
        cosines = {key: cosine(answers[key], np.asarray(reference[key])) for key in reference}
        wrong = [key for key, alike in cosines.items() if not alike > ALIKE]
        verdict = f"WRONG: {', '.join(wrong)}; use --device cpu" if wrong else "right"
        told = f"answers are {verdict} ({seconds:.1f} s)"
        yield Finding(about, not wrong, told, {"cosines": cosines, "seconds": seconds})


Check = Callable[[Path | str], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (versions, processor)
CHECKS_OF_DISKS: tuple[Check, ...] = (disk, locks, flushing)
CHECKS_OF_BUCKETS: tuple[Check, ...] = (swapping,)
LAST: tuple[Check, ...] = (stores, networks)
"""In order; the last takes seconds."""


def picture() -> npt.NDArray[np.uint8]:
    """(1, H, W, 3): waves of colour, and a disk before them."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float64)
    waves = [np.sin(x / 7 + n) + np.cos(y / (5 + n)) for n in range(3)]
    image = np.stack([127 + 50 * wave for wave in waves], axis=-1)
    image[(y - 50) ** 2 + (x - 60) ** 2 < 28**2] = (220, 40, 30)
    return np.asarray(np.rint(image)[None], np.uint8)


def ask_networks(device: torch.device) -> dict[str, npt.NDArray[np.float64]]:
    """What the shipped networks say of the picture: a few numbers for each level and network."""
    from vostool.backbones import DEFAULT, load_backbone
    from vostool.pyramid import Pyramid
    from vostool.strnn.context import ContextRNN
    from vostool.weights import find_weights

    backbone = load_backbone(DEFAULT, str(device))
    pyramid = Pyramid(SIZE, SIZE, backbone.levels(*SIZE))
    features = backbone.features(picture())
    rnn = ContextRNN(pyramid, find_weights("rnn"), device)
    context = rnn.forward(features)
    named: dict[str, npt.NDArray[Any]] = {
        level.name: grid for level, grid in zip(pyramid.levels, features, strict=True)
    }
    named |= {"context": context, **_ask_decoder(features, pyramid, device.type)}
    return {name: projected(grid) for name, grid in named.items()}


def _ask_decoder(features: Features, pyramid: Pyramid, device: str) -> dict[str, npt.NDArray[Any]]:
    """The decoder's logits of the picture, by made-up evidence of two objects, and the labels that
    its propagator carries to the picture from the picture."""
    from vostool.decoder import WEIGHTS
    from vostool.decoder.networks import Inputs
    from vostool.label_propagation.carrier import Labelled, View
    from vostool.pipeline.predictors import find_networks
    from vostool.weights import find_weights

    networks = find_networks(find_weights(WEIGHTS), pyramid, device)
    finest, coarse = features[0].shape[1:3], features[2].shape[1:3]
    random = np.random.default_rng(0)

    def drawn(*shape: int) -> npt.NDArray[np.float32]:
        return random.normal(size=shape).astype(np.float32)

    scores, coarse_scores, prior = drawn(1, 2, *finest), drawn(2, *coarse), drawn(3, *coarse)
    grown = np.exp(prior)
    labels = networks.array(grown / grown.sum(axis=0))
    strokes = np.zeros((1, 3, *finest), np.float32)
    strokes[0, 1, finest[0] // 2, : finest[1] // 2] = 1
    with networks.at_work():
        logits = networks.decode(Inputs(features, scores, [labels], strokes), everywhere=True)
        (seen,) = networks.see(features[2], features[3])
        view = View(seen, networks.array(coarse_scores))
        carried = networks.carrier(view, [Labelled(seen, labels)])
        return {"decoder": networks.numpy(logits), "propagator": networks.numpy(carried)}


def projected(grid: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """64 numbers that stand for many: sums of parts, each value with a sign of its own."""
    flat = grid.astype(np.float64).ravel()
    signs = np.random.default_rng(1).choice([-1.0, 1.0], flat.size)
    return np.array([part.sum() for part in np.array_split(flat * signs, 64)])


def cosine(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """The cosine of the angle between two answers; 0 where one is not finite."""
    if not np.isfinite(one).all():
        return 0.0
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def _existing(place: Path | str) -> Path:
    """A folder, or the nearest that it lies in that is there."""
    absolute = Path(place).absolute()
    return next(folder for folder in (absolute, *absolute.parents) if folder.is_dir())
