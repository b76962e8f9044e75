"""Peak memory of ``extract`` and ``propagate`` on 100 and on 2,000 frames.

python tests/benchmarks/bench_memory.py
"""

from __future__ import annotations

import tempfile

from common import clip_480p, peak_memory, table

SIZE = (240, 427)  # a quarter of 480p, so that 2,000 frames take minutes


def main() -> None:
    """Print the table."""
    peaks: dict[tuple[str, int], float] = {}
    for frames in (100, 2000):
        with clip_480p(frames, SIZE) as clip, tempfile.TemporaryDirectory() as store:
            where = ("--store", store)
            peaks["extract", frames] = peak_memory("extract", clip.path, "--name", "b", *where)
            peaks["propagate", frames] = peak_memory("propagate", "b", *where)
    table(
        "Peak memory, frames of 427 x 240",
        ("what", "100 frames, MB", "2,000 frames, MB", "ratio"),
        [
            (
                what,
                f"{peaks[what, 100]:.0f}",
                f"{peaks[what, 2000]:.0f}",
                f"{peaks[what, 2000] / peaks[what, 100]:.2f}",
            )
            for what in ("extract", "propagate")
        ],
    )


if __name__ == "__main__":
    main()
