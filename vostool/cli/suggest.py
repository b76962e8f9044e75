"""``vostool suggest``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from vostool.cli import completion
from vostool.cli.common import (
    device_option,
    expand,
    for_each,
    json_option,
    one_blas_thread,
    print_rows,
    print_table,
    store_option,
)
from vostool.pipeline.progress import progress_bar

EPILOG = """\b
Examples:
  vostool suggest --adapter bikes.h5
  vostool suggest bikes --adapter bikes.h5 --count 5 --json
  vostool suggest - --adapter mice.h5 < all-clips.txt
"""


@click.command("suggest", epilog=EPILOG)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=completion.clips)
@click.option(
    "--adapter",
    "adapter_file",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.h5",
    help="What vostool adapt wrote.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="How many frames, at most.",
)
@store_option
@device_option
@json_option
def command(
    names: tuple[str, ...],
    adapter_file: Path,
    count: int,
    store_root: Path | str,
    device: str,
    as_json: bool,
) -> None:
    """Say on which frames to scribble next, the best first.

    They are those where masks are least sure, there and on the frames around: each is chosen as if
    the ones before it had been drawn on. NAME is a clip in the store; by default the one that the
    adapter was fitted on. Of several clips, or - for one a line on standard input, the frames are
    the best of all of them.
    """
    one_blas_thread()
    from vostool.adapter import Adapter
    from vostool.pipeline.suggestion import Suggestion, best_of
    from vostool.session import Session
    from vostool.store import FeatureStore

    adapter, store = Adapter.read(adapter_file), FeatureStore(store_root)
    clips = list(dict.fromkeys(expand(names))) if names else [adapter.only_clip]
    found: list[Suggestion] = []

    def look(clip: str) -> None:
        session = Session.resume(store, [adapter], clip=clip, device=device)
        with progress_bar(f"suggest {clip}") as progress:
            found.extend(session.suggest(count, clips=len(clips), progress=progress))

    def tell() -> None:
        best = best_of(found, count)
        if as_json:
            print_rows(asdict(one) for one in best)
        else:
            rows = [[one.clip, str(one.frame), f"{one.worth:.3g}"] for one in best]
            print_table(["clip", "frame", "worth"], rows)

    for_each(clips, look, tell)
