"""What a thousand clips take, and a hundred thousand: measured on one, and multiplied.

python tests/benchmarks/bench_scale.py [--seconds 10] [--price 20] [--jobs 50]

Each command runs on a short clip and on a longer one at 480p; what it costs to begin and what each
frame costs follow from both. Seconds are those of the processor, of all cores together, so that
other work on the machine matters little. Calls of the file system are counted by strace, where it
is installed: those that name a file of the store, of the masks or of the clip.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from common import SIZE_480P, clip_480p, table

SHORT, LONG = 8, 40
FPS = 24
CALLS = (
    "openat,rename,renameat2,unlink,unlinkat,mkdir,rmdir,newfstatat,stat,lstat,statx,access,"
    "getdents64,fsync,fdatasync,flock"
)
SCRIBBLE = (
    '{"sequence": "bench", "scribbles": [[{"path": [[0.43, 0.42], [0.43, 0.95]], "object_id": 1},'
    ' {"path": [[0.7, 0.1], [0.9, 0.9]], "object_id": 0}]%s]}'
)
CLIPS = (1_000, 100_000)


@dataclass(frozen=True)
class Cost:
    """What a command took, or takes.

    Attributes:
        cpu: seconds of the processor.
        size: bytes that it leaves.
        files: files that it leaves.
        calls: of the file system that name a file of the clip's.
        flushes: of them, those that wait for the disk.
    """

    cpu: float
    size: float
    files: float
    calls: float
    flushes: float

    def at(self, longer: Cost, frames: int) -> Cost:
        """On a clip of so many frames, by those on the short clip and on the longer."""
        share = (frames - SHORT) / (LONG - SHORT)
        pairs = zip(self.numbers(), longer.numbers(), strict=True)
        return Cost(*(one + share * (other - one) for one, other in pairs))

    def numbers(self) -> tuple[float, ...]:
        """All of it."""
        return self.cpu, self.size, self.files, self.calls, self.flushes


def cpu_seconds(words: list[str]) -> float:
    """Run vostool, and tell what it took of the processor."""
    program = [sys.executable, "-m", "vostool", *words]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: vostool {' '.join(words)}")
    return usage.ru_utime + usage.ru_stime


def calls(words: list[str], places: list[Path]) -> Counter[str]:
    """Run vostool, and count the calls that name a file in some places, by their kind."""
    if not shutil.which("strace"):
        return Counter()
    with tempfile.NamedTemporaryFile() as log:
        strace = ["strace", "-f", "-qq", "-y", "-e", f"trace={CALLS}", "-o", log.name]
        subprocess.run(
            [*strace, sys.executable, "-m", "vostool", *words], check=True, capture_output=True
        )
        lines = Path(log.name).read_text(errors="replace").splitlines()
    ours = [line for line in lines if any(str(place) in line for place in places)]
    return Counter(found[1] for line in ours if (found := re.match(r"\d+ +(\w+)\(", line)))


def left(place: Path) -> tuple[int, int]:
    """The bytes and the number of the files in a folder."""
    files = [file for file in place.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files), len(files)


def measure(frames: int) -> dict[str, Cost]:
    """What each command takes on a clip of so many frames."""
    with clip_480p(frames) as clip, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "s.json").write_text(SCRIBBLE % (", []" * (frames - 1)))
        adapter, masks = str(folder / "a.h5"), folder / "masks"

        def commands(store: Path) -> dict[str, tuple[list[str], Path]]:
            made, where = store / "bench.zarr" / "efficientnet-lite0", ["--store", str(store)]
            source = [str(clip.path), "--name", "bench", "--frames", f"0:{frames}"]
            return {
                "extract": (["extract", *source, *where], made / "backbone"),
                "propagate": (["propagate", "bench", *where], made / "context"),
                "render": (
                    ["render", "bench", "--adapter", adapter, "--out", str(masks), *where], masks,
                ),
            }  # fmt: skip

        adapt = ["adapt", "bench", "--scribbles", str(folder / "s.json"), "--out", adapter]
        costs: dict[str, Cost] = {}
        counted = commands(folder / "counted")
        for stage, (words, place) in commands(folder / "store").items():
            if stage == "render":
                cpu_seconds([*adapt, "--store", str(folder / "store")])
            cpu = cpu_seconds(words)
            size, files = left(place)
            kinds = calls(counted[stage][0], [folder, clip.path])
            flushes = kinds["fsync"] + kinds["fdatasync"]
            costs[stage] = Cost(cpu, size, files, kinds.total(), flushes)
        return costs


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of a clip, at 24 frames/s")
    parser.add_argument("--price", type=float, default=20, help="of a TB for a month")
    parser.add_argument("--jobs", type=int, default=50, help="that run at once, of a core each")
    asked = parser.parse_args()
    frames = round(asked.seconds * FPS)
    short, long = measure(SHORT), measure(LONG)
    costs = {stage: short[stage].at(long[stage], frames) for stage in short}
    height, width = SIZE_480P
    table(
        f"A clip of {asked.seconds:g} s: {frames} frames of {width} x {height}",
        ("stage", "core-seconds", "MB", "files", "calls", "of them flushes"),
        [
            (
                stage, f"{cost.cpu:.0f}", f"{cost.size / 1e6:.1f}", f"{cost.files:.0f}",
                f"{cost.calls:.0f}", f"{cost.flushes:.0f}",
            )
            for stage, cost in costs.items()
        ],
    )  # fmt: skip
    rows: list[tuple[object, ...]] = []
    for stages in (("extract", "render"), ("extract", "propagate", "render")):
        parts = [costs[stage] for stage in stages]
        cpu, called = sum(part.cpu for part in parts), sum(part.calls for part in parts)
        files = sum(part.files for part in parts)
        kept = sum(part.size for part in parts[:-1])
        for count in CLIPS:
            rows.append(
                (
                    f"{count:,}", ", ".join(stages), f"{count * cpu / 3600:,.0f}",
                    f"{count * cpu / 3600 / asked.jobs:,.1f}", f"{count * kept / 1e12:,.2f}",
                    f"{count * costs['render'].size / 1e9:,.1f}",
                    f"{count * kept / 1e12 * asked.price:,.0f}", f"{count * files / 1e6:,.2f}",
                    f"{asked.jobs * called / cpu:,.0f}",
                )
            )  # fmt: skip
    heads = (
        "clips", "stages", "core-hours", f"hours with {asked.jobs} jobs", "features, TB",
        "masks, GB", f"a month's storage at {asked.price:g} a TB", "files, millions",
        f"calls a second of {asked.jobs} jobs",
    )  # fmt: skip
    table("Many of them", heads, rows)


if __name__ == "__main__":
    main()
