"""What planning a batch takes, by how many clips it has: clips are stubs, their stamps are true.

python tests/benchmarks/bench_batch.py [--clips 1000 2000 5000 10000]

A third of the clips has nothing stored, a third is extracted, a third is done; one of each hundred
has failed. Planning is what every call does before it submits: to look at each clip's stamps, to
measure the pace and to group. The report is what every call does after.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from common import table

from tests.batch.stubs import Stamper, stub_clips, stub_task
from vostool.batch import report
from vostool.batch.folder import BatchFolder
from vostool.batch.jobs import Outcome
from vostool.batch.missing import Stamps, source_bytes
from vostool.batch.plan import Pace, Work, chains, group

CLIP_BYTES = 3_000_000
"""Of a clip of 10 s, so that jobs are of a true length."""
MOST = 1000
"""Jobs of an array, as clusters often allow."""
SECONDS = 1800.0


def prepare(folder: Path, count: int) -> dict[str, str]:
    """Clips, their stamps, and what became of those that failed."""
    sources = stub_clips(folder, count, CLIP_BYTES)
    task = stub_task(folder)
    stamper = Stamper(task)
    batch = BatchFolder(Path(task.folder))
    batch.begin(task, sources)
    failed = []
    for number, (clip, source) in enumerate(sources.items()):
        stamper.stamp(clip, source, stages=number % 3)
        if number % 100 == 99:
            stage = "propagate" if number % 3 else "extract"
            failed.append(Outcome(clip, stage, "job", 1.0, 1.0, "node", f"{source}: cut off"))
    rows = (json.dumps(asdict(one)) for one in failed)
    batch.outcomes_file("job").write_text("\n".join(rows))
    return sources


def measure(folder: Path, sources: dict[str, str]) -> dict[str, float]:
    """Plan and report once; seconds, jobs, bytes and the memory of this process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, worked = time.perf_counter(), time.process_time()
    stamps = Stamps(stub_task(folder))
    looks = {clip: stamps.look(clip, source) for clip, source in sources.items()}
    sizes = {clip: source_bytes(source) for clip, source in sources.items()}
    made = ((s, t, sizes[clip]) for clip, look in looks.items() for s, t in look.seconds.items())
    pace = Pace.measured(made)
    works = [Work(c, s, looks[c].missing) for c, s in sources.items() if looks[c].missing]
    arrays = [a for chain in chains(group(works, sizes, pace, SECONDS), "n", MOST) for a in chain]
    planned = time.perf_counter()
    batch = BatchFolder(folder / "batch")
    missing = {clip: look.missing for clip, look in looks.items()}
    report.write(batch, report.rows(batch, missing, {}, frozenset()))
    written = time.perf_counter()
    worked = time.process_time() - worked
    return {
        "plan": planned - begun,
        "report": written - planned,
        "cpu": worked,
        "arrays": len(arrays),
        "jobs": sum(map(len, arrays)),
        "html": (batch.path / "report.html").stat().st_size,
        "jsonl": (batch.path / "report.jsonl").stat().st_size,
        "memory": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }


def main() -> None:
    """Print the table; each number of clips in a process of its own, for its memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs="+", default=[1000, 2000, 5000, 10000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        with tempfile.TemporaryDirectory() as folder:
            sources = prepare(Path(folder), asked.one)
            print(json.dumps(measure(Path(folder), sources)))
        return
    rows: list[tuple[object, ...]] = []
    for count in asked.clips:
        words = [sys.executable, __file__, "--one", str(count)]
        found = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
        rows.append(
            (
                f"{count:,}", f"{found['plan']:.2f}", f"{found['report']:.2f}",
                f"{1e3 * found['cpu'] / count:.2f}", f"{found['memory']:.0f}",
                f"{found['jobs']:.0f}",
                f"{found['arrays']:.0f}", f"{found['html'] / 1e3:.0f}",
                f"{found['jsonl'] / 1e3:.0f}",
            )
        )  # fmt: skip
    heads = (
        "clips", "plan, s", "report, s", "of the processor, ms a clip", "memory, MB", "jobs",
        "arrays", "report.html, kB", "report.jsonl, kB",
    )  # fmt: skip
    table("Planning a batch of stubs", heads, rows)


if __name__ == "__main__":
    main()
