"""The commands on the sample clip with a store on the disk and in a bucket, and its requests.

    python tests/benchmarks/bench_s3.py [MILLISECONDS]

The bucket is on a server in this process, which takes its time from the same cores; each answer is
held back by the milliseconds given (20), as by a network. One run each, in turn.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from common import bikes, table

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from tests.commands import call_process  # noqa: E402
from tests.s3_server import BUCKET, S3Server  # noqa: E402

SCRIBBLES = REPOSITORY / "examples" / "bikes.json"
PLACES = (
    ("disk", "disk", "0"),
    ("bucket", f"s3://{BUCKET}/bench", "0"),
    ("bucket, kept", f"s3://{BUCKET}/bench", "4"),
)
"""Stores, and what the cache may take; what is kept, an earlier run has fetched."""
STEPS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("extract", ("extract", str(bikes()), "--frames", "187:242"), False),
    ("adapt", ("adapt", "bikes", "--scribbles", str(SCRIBBLES), "--out", "a.h5"), True),
    ("render", ("render", "--adapter", "a.h5", "--out", "masks"), True),
    ("store verify", ("store", "verify"), False),
)
"""Commands, and whether they read chunks that may be kept."""


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
    rows: list[tuple[object, ...]] = []
    server.clear()
    server.delay = delay / 1000
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        os.environ["VOSTOOL_CACHE"] = str(folder / "cache")
        for name, words, reads in STEPS:
            for how, store, gigabytes in PLACES if reads else PLACES[:2]:
                os.environ["VOSTOOL_CACHE_GB"] = gigabytes
                if how == "bucket, kept":
                    seconds_of(folder, words, store)
                server.requests.clear()
                seconds = seconds_of(folder, words, store)
                counted = sorted(server.requests.items())
                asked = ", ".join(f"{number} {method}" for method, number in counted)
                rows.append((name, how, f"{seconds:.1f}", asked))
    server.close()
    table(
        f"The sample clip, 55 frames, {delay:.0f} ms an answer",
        ("step", "store", "seconds", "requests"),
        rows,
    )


if __name__ == "__main__":
    main()
