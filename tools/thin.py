"""A DAVIS root of every n-th frame of the sequences to choose by: quicker to measure on.

    python tools/thin.py --davis-root DAVIS --out THIRD

The frame of the first round is among those that are taken, and so are its strokes.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click


@click.command()
@click.option("--davis-root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--subset", default="train", show_default=True)
@click.option("--every", default=5, show_default=True, help="Take every n-th sequence.")
@click.option("--frames", default=3, show_default=True, help="Take every n-th frame.")
@click.option("--first", default=1, show_default=True, help="Which first round to take.")
@click.option("--out", required=True, type=click.Path(path_type=Path))
def main(davis_root: Path, subset: str, every: int, frames: int, first: int, out: Path) -> None:
    """Write the root."""
    listed = (davis_root / "ImageSets" / "2017" / f"{subset}.txt").read_text().split()[::every]
    for name in listed:
        document = json.loads((davis_root / "Scribbles" / name / f"{first:03d}.json").read_text())
        annotated = document["annotated_frame"]
        taken = slice(annotated % frames, None, frames)
        for kind in ("JPEGImages", "Annotations"):
            folder = out / kind / "480p" / name
            folder.mkdir(parents=True)
            files = sorted((davis_root / kind / "480p" / name).iterdir())[taken]
            for number, file in enumerate(files):
                shutil.copy(file, folder / f"{number:05d}{file.suffix}")
        document["scribbles"] = document["scribbles"][taken]
        document["annotated_frame"] = annotated // frames
        (out / "Scribbles" / name).mkdir(parents=True)
        (out / "Scribbles" / name / "001.json").write_text(json.dumps(document))
    lists = out / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("".join(f"{name}\n" for name in listed))


if __name__ == "__main__":
    main()
