"""``vostool suggest``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from vostool.cli import completion
from vostool.cli.common import json_option, one_blas_thread, print_rows, print_table, store_option
from vostool.pipeline.progress import progress_bar

EPILOG = """\b
Examples:
  vostool suggest --adapter bikes.h5
  vostool suggest bikes --adapter bikes.h5 --count 5 --json
"""


@click.command("suggest", epilog=EPILOG)
@click.argument("name", required=False, shell_complete=completion.clips)
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
@json_option
def command(
    name: str | None, adapter_file: Path, count: int, store_root: Path | str, as_json: bool
) -> None:
    """Say on which frames to scribble next, the best first.

    They are those where the classifier is least determined next to the objects: each is chosen as
    if the ones before it had been drawn on. NAME is a clip in the store; by default the one that
    the adapter was fitted on.
    """
    one_blas_thread()
    from vostool.adapter import Adapter
    from vostool.session import Session
    from vostool.store import FeatureStore

    adapter = Adapter.read(adapter_file)
    session = Session.resume(FeatureStore(store_root), [adapter], clip=name)
    with progress_bar(f"suggest {name or adapter.provenance.clip}") as progress:
        suggestions = session.suggest(count, progress=progress)
    if as_json:
        print_rows(asdict(one) for one in suggestions)
    else:
        print_table(
            ["frame", "worth"], [[str(one.frame), f"{one.worth:.3g}"] for one in suggestions]
        )
