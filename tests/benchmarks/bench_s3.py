"""The commands on the sample clip with a store on the disk and in a bucket, and its requests.

    python tests/benchmarks/bench_s3.py [MILLISECONDS]

The bucket is on a server in this process, which takes its time from the same cores; each answer is
held back by the milliseconds given (20), as by a network. Disk and bucket are measured in turn.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import bikes, table

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from tests.commands import call_process  # noqa: E402
from tests.s3_server import BUCKET, S3Server  # noqa: E402

RUNS = 3
SCRIBBLES = REPOSITORY / "examples" / "bikes.json"
STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("extract", ("extract", str(bikes()), "--frames", "187:211")),
    ("propagate", ("propagate", "bikes")),
    ("adapt", ("adapt", "bikes", "--scribbles", str(SCRIBBLES), "--out", "a.h5")),
    ("render", ("render", "--adapter", "a.h5", "--out", "masks")),
    ("store verify", ("store", "verify")),
)


def seconds_of(folder: Path, words: Sequence[str], store: str) -> float:
    """The wall time of a command as a process of its own."""
    begun = time.perf_counter()
    done = call_process(folder, *words, "--store", store)
    assert done.status == 0, done.err
    return time.perf_counter() - begun


def main() -> None:
    """Print the table."""
    delay = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    server = S3Server()
    os.environ.update(server.environment())
    seconds: dict[tuple[str, str], list[float]] = {}
    requests: dict[tuple[str, str], str] = {}

    def measure(name: str, words: Sequence[str], folder: Path, store: str, how: str) -> None:
        server.requests.clear()
        seconds.setdefault((name, how), []).append(seconds_of(folder, words, store))
        counted = sorted(server.requests.items())
        requests[name, how] = ", ".join(f"{number} {method}" for method, number in counted)

    for _ in range(RUNS):
        server.clear()
        server.delay = delay / 1000
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            os.environ["VOSTOOL_CACHE"] = str(folder / "cache")
            for name, words in STEPS:
                os.environ["VOSTOOL_CACHE_GB"] = "4"
                measure(name, words, folder, str(folder / "disk"), "disk")
                if name in ("adapt", "render"):
                    os.environ["VOSTOOL_CACHE_GB"] = "0"
                measure(name, words, folder, f"s3://{BUCKET}/bench", "bucket")
                if name in ("adapt", "render"):
                    os.environ["VOSTOOL_CACHE_GB"] = "4"
                    seconds_of(folder, words, f"s3://{BUCKET}/bench")
                    measure(name, words, folder, f"s3://{BUCKET}/bench", "cached")
    server.close()
    rows: list[tuple[object, ...]] = []
    for name, _ in STEPS:
        for how in ("disk", "bucket", "cached"):
            if (name, how) in seconds:
                median = float(np.median(seconds[name, how]))
                rows.append((name, how, f"{median:.1f}", requests[name, how]))
    table(
        f"24 frames of the sample clip, {delay:.0f} ms an answer, medians of {RUNS}",
        ("step", "store", "seconds", "requests"),
        rows,
    )


if __name__ == "__main__":
    main()
