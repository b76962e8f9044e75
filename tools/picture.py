"""Puts some frames of an overlay video side by side: the picture in the README.

python tools/picture.py out/bikes-overlay.mp4 docs/images/bikes.jpg 2 9 17 25
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from vostool.clips import open_clip


def main(video: str, picture: str, *numbers: str) -> None:
    """Two frames a row."""
    frames = list(open_clip(Path(video)).frames())
    chosen = [frames[int(number)] for number in numbers]
    rows = [np.concatenate(chosen[i : i + 2], axis=1) for i in range(0, len(chosen), 2)]
    Image.fromarray(np.concatenate(rows)).save(picture, quality=85)


if __name__ == "__main__":
    main(*sys.argv[1:])
