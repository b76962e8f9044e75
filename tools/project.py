"""Learns the projection of DINOv2's blocks that ships: what tells vertices of a frame apart.

    python tools/project.py --davis-root DAVIS --out dinov2-small-projection.safetensors

The principal components of both blocks' output, side by side and each of unit length, over frames
of the training sequences that are not held back. Prints how much of the variance is kept.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@click.command()
@click.option("--davis-root", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--hold-back", default=5, show_default=True, help="Leave every n-th sequence out.")
@click.option("--frames", default=4, show_default=True, help="Of each sequence, evenly chosen.")
@click.option("--weights", help="Of the network.  [default: looked for]")
@click.option("--out", required=True, type=click.Path(path_type=Path))
def main(davis_root: Path, hold_back: int, frames: int, weights: str | None, out: Path) -> None:
    """Write the projection."""
    from vostool.backbones import find_network
    from vostool.backbones.dinov2 import CHANNELS
    from vostool.checkpoints import write_weights
    from vostool.images import read_image
    from vostool.training.data import open_videos

    network = find_network("dinov2-small")
    loaded = network.architecture.loaded(network.find_weights(weights)).eval()
    videos = open_videos(davis_root)
    rows = []
    for number, video in enumerate(videos):
        if number % hold_back:
            for part in range(frames):
                image, _ = video.files[len(video.files) * part // frames]
                rows.append(vertices(loaded, read_image(image)))
                click.echo(f"{video.name} {image.stem}")
    x = torch.cat(rows).double()
    mean = x.mean(dim=0)
    variances, directions = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    projection = directions.flip(1)[:, :CHANNELS].T
    write_weights(
        out,
        {"weight": projection[:, :, None, None].float(), "bias": -(projection @ mean).float()},
        {},
    )
    kept = variances.flip(0)[:CHANNELS].sum() / variances.sum()
    click.echo(f"{len(x)} vertices; {kept:.3f} of the variance is kept by {CHANNELS} channels")


@torch.inference_mode()
def vertices(network: torch.nn.Module, image: npt.NDArray[np.uint8]) -> Tensor:
    """Both blocks' output at every patch of a frame (H, W, 3): (n, channels)."""
    from vostool.backbones.dinov2 import DinoV2, normalised

    assert isinstance(network, DinoV2)
    seen = network.seen(normalised(torch.tensor(image)[None]))
    return seen[0].flatten(1).T


if __name__ == "__main__":
    main()
