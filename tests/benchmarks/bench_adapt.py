"""``adapt`` and ``render`` of a cached 70-frame clip at 480p, cold and warm; and ``--help``.

python tests/benchmarks/bench_adapt.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the commands do, before numpy is imported

from common import best_of, clip_480p, cold, scribble, table

from vostool.opening import OpenClip
from vostool.pipeline.context import propagate
from vostool.pipeline.extraction import extract
from vostool.session import Session
from vostool.store import FeatureStore
from vostool.writers.png import mask_file, write_mask

IMPORTS = "import numpy, zarr, h5py, cv2"


def main() -> None:
    """Print the table."""
    with clip_480p(70) as clip, tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        stored = FeatureStore(root / "store").clip("bench")
        extract(clip, stored)
        propagate(stored)
        strokes = scribble().strokes[2][0]
        document = {"scribbles": [[], [], [{"path": strokes.path.tolist(), "object_id": 1}]]}
        (root / "s.json").write_text(json.dumps(document))
        where = ("--store", root / "store")
        adapt = cold(
            "adapt", "bench", "--scribbles", root / "s.json", "--out", root / "a.h5", *where
        )
        render = cold("render", "bench", "--adapter", root / "a.h5", "--out", root / "m", *where)
        imports = best_of(lambda: subprocess.run([sys.executable, "-c", IMPORTS], check=True))

        def fit() -> Session:
            session = OpenClip(stored).session()
            session.add_scribbles(scribble())
            return session

        session = fit()

        def masks() -> None:
            for _ in session.masks():
                pass

        def write() -> None:
            session.save(root / "warm")

        warm_fit, warm_masks, warm_render = best_of(fit), best_of(masks), best_of(write)
        mask = session.mask(0)
        png = best_of(lambda: write_mask(mask_file(root, 0), mask))
    table(
        "adapt and render, 70 frames at 480p, features stored",
        ("what", "seconds"),
        [
            ("vostool --help, a process", f"{cold('--help'):.2f}"),
            ("imports alone, a process (numpy, zarr, h5py, OpenCV)", f"{imports:.2f}"),
            ("vostool adapt, a process", f"{adapt:.2f}"),
            ("vostool render, a process, PNGs written", f"{render:.2f}"),
            ("both processes", f"{adapt + render:.2f}"),
            ("fit, warm", f"{warm_fit:.3f}"),
            ("scores and masks at full resolution, warm", f"{warm_masks:.3f}"),
            ("fit, scores, masks, warm", f"{warm_fit + warm_masks:.3f}"),
            ("scores, masks and PNGs, warm", f"{warm_render:.3f}"),
            ("one PNG", f"{png:.4f}"),
        ],
    )


if __name__ == "__main__":
    main()
