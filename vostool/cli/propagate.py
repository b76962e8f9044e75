"""``vostool propagate``."""

from __future__ import annotations

from pathlib import Path

import click

from vostool.cli import completion
from vostool.cli.common import (
    backbone_option,
    device_option,
    expand,
    for_each,
    json_option,
    model_option,
    report,
    shard_option,
    store_option,
)
from vostool.pipeline.progress import progress_bar, say

EPILOG = """\b
Examples:
  vostool propagate bikes
  vostool extract clips/*.mp4 | vostool propagate -
  vostool propagate bikes --model step1/rnn.safetensors
"""


@click.command("propagate", epilog=EPILOG)
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=completion.clips
)
@store_option
@backbone_option
@model_option
@shard_option
@device_option
@json_option
def command(
    names: tuple[str, ...],
    store_root: Path | str,
    backbone: str,
    model: str,
    shard: tuple[int, int],
    device: str,
    as_json: bool,
) -> None:
    """Add spatio-temporal context to stored features: the RNN of Eq. 2 over whole clips.

    NAME is a clip in the store, or - for one a line on standard input. Context is what both
    presets read: 'paper' alone, 'default' beside the backbone's features.
    """
    from vostool.pipeline.context import propagate
    from vostool.store import FeatureStore

    def work(name: str) -> None:
        with progress_bar(f"propagate {name}") as progress:
            stage = propagate(
                FeatureStore(store_root).clip(name),
                backbone=backbone,
                model=model,
                device=device,
                progress=progress,
                say=say,
            )
        report({"clip": name, "frames": stage.frames, "bytes": stage.bytes}, as_json, name)

    for_each(expand(names), work, shard=shard)
