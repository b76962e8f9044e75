"""Scenes of several alike objects, made of sequences that no training saw: a DAVIS root.

    python tools/compose.py --davis-root DAVIS --seed 0 --out SCENES

Of each sequence there are two: its own frames with copies of its object beside it, each with a lag
and a way of its own, before and behind it; and copies of its object's cut-out, and of another's,
that cross, leave the frame and come back. The first round is drawn by the benchmark's robot, on the
frame where most objects are to be seen. The same seed gives the same scenes.

With ``--bystanders`` one object of each scene is asked for, and what looks like it is background.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import cv2
import numpy as np

HEIGHT = 480


@click.command()
@click.option("--davis-root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--subset", default="train", show_default=True)
@click.option("--every", default=5, show_default=True, help="Take every n-th sequence.")
@click.option("--frames", default=24, show_default=True)
@click.option("--height", default=HEIGHT, show_default=True, help="The scenes' rows.")
@click.option("--seed", default=0, show_default=True)
@click.option("--bystanders", is_flag=True, help="Ask for one object of each scene alone.")
@click.option("--out", required=True, type=click.Path(path_type=Path))
def main(
    davis_root: Path,
    subset: str,
    every: int,
    frames: int,
    height: int,
    seed: int,
    bystanders: bool,
    out: Path,
) -> None:
    """Write the scenes."""
    from vostool.training.data import Photo, open_videos
    from vostool.training.scenes import Beside, Scene

    listed = (davis_root / "ImageSets" / "2017" / f"{subset}.txt").read_text().split()
    videos = open_videos(davis_root, listed)[::every]
    stills = [
        Photo(video.name, *video.files[len(video.files) * n // 4])
        for video in videos
        for n in range(4)
    ]
    size = (height, round(height * 854 / 480))
    names = []
    for number, video in enumerate(videos):
        own = next(still for still in stills if still.name == video.name)
        for kind, source in (("beside", Beside(video)), ("copies", Scene(own, stills))):
            rng = np.random.default_rng((seed, number))
            shot = source.shot(frames, size, rng)
            names.append(f"{video.name}-{kind}")
            visible = np.array([len(np.unique(mask)) for mask in shot.masks])
            masks = shot.masks
            if bystanders:
                masks = np.where(masks == 1, masks, 0)
                visible[~masks.any(axis=(1, 2))] = 0
            _write(out, names[-1], shot.images, masks, int(np.argmax(visible)))
            click.echo(f"{names[-1]}: {len(np.unique(masks)) - 1} objects")
    lists = out / "ImageSets" / "2017"
    lists.mkdir(parents=True, exist_ok=True)
    (lists / "val.txt").write_text("".join(f"{name}\n" for name in names))


def _write(out: Path, name: str, images: np.ndarray, masks: np.ndarray, frame: int) -> None:
    from vostool.davis import compat
    from vostool.writers.png import write_mask

    compat.load()  # mends what its package needs of newer libraries
    from davisinteractive.robot import InteractiveScribblesRobot

    pictures = out / "JPEGImages" / "480p" / name
    annotations = out / "Annotations" / "480p" / name
    scribbles = out / "Scribbles" / name
    for folder in (pictures, annotations, scribbles):
        folder.mkdir(parents=True, exist_ok=True)
    for t, (image, mask) in enumerate(zip(images, masks, strict=True)):
        cv2.imwrite(str(pictures / f"{t:05d}.jpg"), image[:, :, ::-1])
        write_mask(annotations / f"{t:05d}.png", mask)
    objects = int(masks.max())
    document = InteractiveScribblesRobot().interact(
        name, np.zeros_like(masks), masks, nb_objects=objects, frame=frame
    )
    document["annotated_frame"] = frame
    for stroke in document["scribbles"][frame]:
        stroke["path"] = np.asarray(stroke["path"]).round(4).tolist()
    document["scribbles"][frame] = [
        stroke for stroke in document["scribbles"][frame] if stroke["object_id"]
    ]
    (scribbles / "001.json").write_text(json.dumps(document))


if __name__ == "__main__":
    main()
