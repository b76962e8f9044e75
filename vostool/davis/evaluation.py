"""An evaluation: every sample of some sequences, side by side, and taken up where it stopped."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from filelock import FileLock, Timeout

from vostool.davis import compat
from vostool.davis.method import Method, PreparedClip
from vostool.davis.root import DavisSequence
from vostool.davis.samples import Sample, read_sample, write_sample
from vostool.davis.session import Protocol, run_sample
from vostool.errors import DavisError
from vostool.files import parse_json, replacing, unwritable
from vostool.outputs import check_names_free
from vostool.pipeline.progress import Progress, Say
from vostool.store import CacheKey
from vostool.version import __version__

SETTINGS = "settings.json"
SAMPLES = "samples"
RESULTS = ("warm.csv", "cold.csv", "summary.json", "curve.png", "worst.html")
"""What :func:`vostool.davis.results.write_results` leaves in the folder."""
DECIDING = (
    "opening.py", "session.py", "pipeline/*.py", "presets.py", "pyramid.py", "scribbles.py",
    "masks.py", "images.py",
    "adapter/*.py", "layers.py", "label_propagation/*.py", "decoder/*.py", "mask_propagation/*.py",
    "weights/decoder*.safetensors", "precision.py", "onnx_graph.py",
    "davis/root.py", "davis/session.py", "davis/method.py", "davis/metrics.py", "davis/compat.py",
)  # fmt: skip
"""The modules on which scores depend, apart from the features, whose cache keys tell of theirs."""

Bar = Callable[[str, str], AbstractContextManager[Progress]]
"""Opens a progress bar: what it is about, and what it counts."""


@dataclass(frozen=True)
class Evaluation:
    """All that an evaluation found.

    Attributes:
        sequences: what was evaluated.
        method: what was measured.
        protocol: by which rules.
        samples: the finished samples, in the order of the sequences and their first rounds.
        prepared: what ran once a clip, by the sequence's name.
    """

    sequences: Sequence[DavisSequence]
    method: Method
    protocol: Protocol
    samples: list[Sample]
    prepared: dict[str, PreparedClip]

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the scores, apart from the features."""
        return settings(self.sequences, self.method, self.protocol)


def evaluate(
    sequences: Sequence[DavisSequence],
    method: Method,
    protocol: Protocol,
    out: Path,
    *,
    jobs: int,
    bar: Bar,
    say: Say,
) -> Evaluation:
    """Run the heavy stages of every sequence, then every sample that is not there yet.

    Args:
        sequences: from :func:`vostool.davis.root.read_root`.
        method: what to measure.
        protocol: by which rules.
        out: the folder for the results. Finished samples are kept there.
        jobs: how many samples run side by side.
        bar: shows how far things are.
        say: told what a person should know.

    Raises:
        DavisInteractiveError: the package is not installed.
        DavisError: the folder holds an evaluation of other settings.
        VostoolError: a heavy stage cannot run.
    """
    compat.load()
    if importlib.util.find_spec("matplotlib") is None:  # for the curve, in the end
        raise compat.DavisInteractiveError("matplotlib")
    with _held(out):
        _begin(out, settings(sequences, method, protocol))
        prepared = {}
        for sequence in sequences:
            with bar(f"features of {sequence.name}", "frames") as progress:
                prepared[sequence.name] = method.prepare(sequence.clip, progress, say)
        made_from = {
            sequence.name: _made_from(sequence, method, protocol, prepared[sequence.name])
            for sequence in sequences
        }

        def finished(sequence: DavisSequence, number: int) -> Sample | None:
            return read_sample(out / SAMPLES, made_from[sequence.name], sequence.name, number)

        every = [(s, number) for s in sequences for number in range(1, len(s.scribbles) + 1)]
        missing = [sample for sample in every if finished(*sample) is None]
        if len(missing) < len(every):
            say(f"{out}: {len(every) - len(missing)} of {len(every)} samples are there already")
        with _workers(jobs) as pool, bar("samples", "samples") as progress:
            running: set[Future[None]] = {
                pool.submit(
                    _play, s, number, method, protocol, out / SAMPLES, made_from[s.name], jobs
                )
                for s, number in missing
            }
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for played in done:
                    played.result()
                progress(len(every) - len(running), len(every))
        samples = []
        for sequence, number in every:
            sample = finished(sequence, number)
            if sample is None:
                raise DavisError(
                    f"{out / SAMPLES}: {sequence.name}.{number:03d} cannot be read back; "
                    "run this again"
                )
            samples.append(sample)
        return Evaluation(sequences, method, protocol, samples, prepared)


def settings(
    sequences: Sequence[DavisSequence], method: Method, protocol: Protocol
) -> dict[str, Any]:
    """What decides the scores, apart from the features."""
    measured = asdict(method)
    for name in ("store", "device", "models", "refiner"):  # cache keys tell of the models
        del measured[name]
    if method.refine != "none":
        measured["refiner"] = method.refiner.identity
    return {
        "vostool": __version__,
        "code": code_digest(),
        **measured.pop("preset"),
        **measured,
        **asdict(protocol),
        "sequences": {sequence.name: sequence.fingerprint for sequence in sequences},
    }


def _made_from(
    sequence: DavisSequence, method: Method, protocol: Protocol, prepared: PreparedClip
) -> dict[str, Any]:
    return {**settings([sequence], method, protocol), "features_key": prepared.key}


def code_digest() -> str:
    """A hash of the code that decides masks and scores, for those who change it.

    Raises:
        LookupError: a pattern of :data:`DECIDING` names no file, so that a change to what it once
            named would go unnoticed.
    """
    package = Path(__file__).parent.parent
    digest = hashlib.blake2b(digest_size=5)
    for pattern in DECIDING:
        files = sorted(package.glob(pattern))
        if not files:
            raise LookupError(f"{pattern}: no such file in {package}")
        for file in files:
            digest.update(file.read_bytes())
    return digest.hexdigest()


@contextmanager
def _held(out: Path) -> Iterator[None]:
    """Keep other evaluations out of the folder."""
    check_names_free(out, RESULTS, proof=SETTINGS)
    try:
        (out / SAMPLES).mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock")
        lock.acquire(timeout=0)
    except Timeout as problem:
        raise DavisError(f"{out}: another evaluation runs there; name another --out") from problem
    except OSError as problem:
        raise unwritable(out, problem) from problem
    try:
        yield
    finally:
        lock.release()


def _begin(out: Path, wanted: dict[str, Any]) -> None:
    """Take a folder without samples, or with samples of the same settings."""
    file, samples = out / SETTINGS, list((out / SAMPLES).glob("*.json"))
    try:
        for left in (out / SAMPLES).glob(".*"):  # by runs that were killed
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        there = parse_json(file.read_text()) if samples else wanted
        if there != wanted:
            difference = CacheKey(wanted).difference(CacheKey(dict(there)))
            raise DavisError(
                f"{out}: holds an evaluation of something else ({difference}); name another --out"
            )
        with replacing(file) as tmp:
            tmp.write_text(json.dumps(wanted, indent=2) + "\n")
    except OSError as problem:
        raise unwritable(out, problem) from problem
    except (ValueError, TypeError) as problem:
        raise DavisError(f"{file}: no settings of an evaluation; name another --out") from problem


def _play(
    sequence: DavisSequence,
    number: int,
    method: Method,
    protocol: Protocol,
    folder: Path,
    made_from: dict[str, Any],
    jobs: int,
) -> None:
    """One sample, in a process of its own."""
    try:
        with TemporaryDirectory(dir=folder, prefix=".") as scratch:
            run = run_sample(
                sequence,
                number,
                method.begin(sequence.name, protocol.rounds),
                protocol,
                Path(scratch),
            )
        write_sample(folder, made_from, sequence.name, number, jobs, run)
    except OSError as problem:
        raise unwritable(folder, problem) from problem


@contextmanager
def _workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with this one, however it ends."""
    pool = ProcessPoolExecutor(
        jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_process,
        initargs=(jobs,),
    )
    try:
        yield pool
    except BrokenProcessPool as problem:
        raise DavisError(
            "a sample's process was killed, perhaps for its memory; run the same command again, "
            "with fewer --jobs: finished samples are kept"
        ) from problem
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_process(jobs: int) -> None:
    # Read when torch is loaded: processes that each use every core hold each other up.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Control-C: no traceback from every process
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
